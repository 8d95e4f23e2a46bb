"""Many photos: captions for all of them, step by step, and the files to take home."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any

from PIL import Image

from captioner.caption import Caption
from captioner.errors import CaptionerError, ImageError
from captioner.options import Options
from captioner.page.engine import BATCH, SMALL, Engine, data_url, open_upload
from captioner.page.options import read_options
from captioner.page.uploads import Upload, unpack

Row = dict[str, Any]


def caption_album(
    engine: Engine, photos: Iterable[Upload | ImageError], options: Options
) -> Iterator[tuple[Row, Image.Image | None]]:
    """A row for each of the unpacked photos, in order, with the opened photo; one that failed has
    an `error`."""
    waiting = iter(photos)
    while chunk := list(islice(waiting, BATCH)):
        opened = [_open(upload) for upload in chunk]
        good = [photo for photo in opened if isinstance(photo, Image.Image)]
        captions = iter(engine.caption(good, options) if good else [])
        for upload, photo in zip(chunk, opened, strict=True):
            name = upload.path if isinstance(upload, ImageError) else upload.name
            result = photo if isinstance(photo, ImageError) else next(captions)
            yield _row(name, result), None if isinstance(photo, ImageError) else photo


def _row(path: str, result: Caption | CaptionerError) -> Row:
    if isinstance(result, ImageError):
        return {"path": path, "error": result.reason}
    if isinstance(result, CaptionerError):
        return {"path": path, "error": str(result)}
    score, words = round(result.score, 5), list(result.words)
    return {"path": path, "caption": result.text, "score": score, "words": words}


def _open(upload: Upload | ImageError) -> Image.Image | ImageError:
    try:
        return open_upload(upload)
    except ImageError as error:
        return error


def album_rows(engine: Engine, uploads: Iterable[Upload | ImageError] | None) -> list[Row]:
    """All the rows at once, for the API: their `path` as `name`, for to gradio_client whatever has
    a `path` is a file to be fetched. Raises CaptionerError for too many photos or none."""
    rows = [row for row, _ in caption_album(engine, unpack(uploads), Options())]
    return [{"name": row.pop("path"), **row} for row in rows]


def album_progress(
    engine: Engine, uploads: Iterable[Upload | ImageError] | None, wish: Row | None
) -> Iterator[Row]:
    """The album so far, again and again: {"total", "rows"}, each row with a `thumbnail`.

    Raises CaptionerError for too many photos or none, and for impossible options.
    """
    photos = unpack(uploads)
    rows: list[Row] = []
    for row, photo in caption_album(engine, photos, read_options(wish)[0]):
        rows.append(row if photo is None else row | {"thumbnail": data_url(photo, SMALL)})
        if len(rows) % BATCH == 0 or len(rows) == len(photos):
            yield {"total": len(photos), "rows": rows}


FIELDS = ("path", "caption", "score", "error")


def as_csv(rows: list[Row]) -> bytes:
    """A line a photo, in UTF-8 with the mark by which spreadsheets know it."""
    text = io.StringIO()
    table = csv.DictWriter(text, FIELDS, restval="", extrasaction="ignore")
    table.writeheader()
    table.writerows({field: _plain(row.get(field, "")) for field in FIELDS} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _plain(value: Any) -> Any:
    """A file's name must not become a formula in somebody's spreadsheet."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def as_json_list(rows: list[Row]) -> bytes:
    """All rows as one JSON list."""
    kept = [{key: row[key] for key in FIELDS if row.get(key) not in (None, "")} for row in rows]
    return (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode()


def as_texts(rows: list[Row]) -> bytes:
    """A ZIP with a text file beside each photo's name, as caption data sets have them."""
    file = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            if row.get("caption"):
                archive.writestr(_text_name(str(row["path"]), taken), f"{row['caption']}\n")
    return file.getvalue()


def _text_name(path: str, taken: set[str]) -> str:
    """`dog.jpg` becomes `dog.txt`, a second one `dog-2.txt`."""
    stem, number = PurePath(path).stem or "photo", 1
    name = f"{stem}.txt"
    while name in taken:
        number += 1
        name = f"{stem}-{number}.txt"
    taken.add(name)
    return name


FORMATS: dict[str, tuple[str, str, Callable[[list[Row]], bytes]]] = {
    "csv": ("captions.csv", "text/csv", as_csv),
    "json": ("captions.json", "application/json", as_json_list),
    "text": ("captions.zip", "application/zip", as_texts),
}


def save_album(request: Row) -> Row:
    """{"format", "rows"} → a file of the (edited) captions: {"name", "type", "base64"}."""
    try:
        name, kind, write = FORMATS[request["format"]]
        content = write([dict(row) for row in request["rows"]])
    except (KeyError, TypeError, ValueError) as error:
        raise CaptionerError("These captions cannot be saved: reload the page.") from error
    return {"name": name, "type": kind, "base64": base64.b64encode(content).decode()}
