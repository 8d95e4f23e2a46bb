"""Many photos: captions for all of them, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any

from PIL import Image

from captioner.caption import Caption
from captioner.datasets.photos.photo import Photo
from captioner.errors import CaptionerError, ImageError, kept
from captioner.images.inline import as_jpeg, data_url
from captioner.options import Options
from captioner.page.answers import LARGE, SMALL, open_photo, sureness
from captioner.page.options import read_options
from captioner.page.saving import File
from captioner.page.uploads import Upload, count, unpack
from captioner.page.worker import BATCH, ModelWorker

Row = dict[str, Any]


def album_rows(worker: ModelWorker, uploads: list[Upload] | None) -> list[Row]:
    """All the rows at once, for the API: their `path` as `name`, for to gradio_client whatever has
    a `path` is a file to be fetched. Raises CaptionerError for too many photos or none."""
    count(uploads)
    rows = [row for row, _ in _captioned(worker, unpack(uploads or []), Options())]
    return [{"name": row.pop("path"), **row} for row in rows]


def album_steps(
    worker: ModelWorker, uploads: list[Upload] | None, given: Row | None, model: int = 0
) -> Iterator[Row]:
    """The album in steps: {"total", "rows"}, the rows being those that are new, each with a
    `thumbnail`; by the model at that place.

    Raises CaptionerError for too many photos or none, and for impossible options.
    """
    options, _ = read_options(given)
    total = count(uploads)
    captioned = _captioned(worker, unpack(uploads or []), options, model)
    yield {"total": total, "rows": []}
    while step := list(islice(captioned, BATCH)):
        rows = [
            row if photo is None else row | {"thumbnail": data_url(photo, SMALL)}
            for row, photo in step
        ]
        yield {"total": total, "rows": rows}


def packed_photo(upload: Upload | None, path: str | None) -> File:
    """One photo of an archive, as a picture that every browser shows.

    Raises CaptionerError where it cannot be had.
    """
    for photo in unpack([upload] if upload else []):
        if photo.path == path:
            if isinstance(photo, ImageError):
                raise photo
            content = as_jpeg(open_photo(photo, LARGE), LARGE)
            return File(PurePath(photo.path).name, "image/jpeg", content)
    raise CaptionerError(f"There is no photo {str(path)[:80]!r} here any more: send it again.")


def _captioned(
    worker: ModelWorker, photos: Iterator[Photo | ImageError], options: Options, model: int = 0
) -> Iterator[tuple[Row, Image.Image | None]]:
    """A row for each photo, in order, with the opened photo; one that failed has an `error`."""
    opened = ((photo.path, _open(photo)) for photo in photos)
    while chunk := list(islice(opened, BATCH)):
        good = [photo for _, photo in chunk if isinstance(photo, Image.Image)]
        captions = _followed(worker.caption(good, options, model), options)
        for path, photo in chunk:
            if isinstance(photo, ImageError):
                yield _row(path, photo), None
            else:
                yield _row(path, next(captions)), photo


def _followed(
    captions: list[Caption | CaptionerError], options: Options
) -> Iterator[Caption | CaptionerError]:
    """The captions; raises CaptionerError where it is the options that no photo can follow."""
    refused = {str(caption) for caption in captions if isinstance(caption, CaptionerError)}
    all_refused = bool(captions) and all(isinstance(c, CaptionerError) for c in captions)
    if options != Options() and all_refused and len(refused) == 1:
        raise CaptionerError(refused.pop())
    return iter(captions)


def _open(photo: Photo | ImageError) -> Image.Image | ImageError:
    try:
        return photo if isinstance(photo, ImageError) else open_photo(photo)
    except ImageError as error:
        return kept(error)


def _row(path: str, result: Caption | CaptionerError) -> Row:
    if isinstance(result, CaptionerError):
        reason = result.reason if isinstance(result, ImageError) else str(result)
        return {"path": path, "error": reason}
    return {
        "path": path,
        "caption": result.text,
        "score": round(result.score, 5),
        "words": list(result.words),
        **sureness(result),
    }
