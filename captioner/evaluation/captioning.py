"""Captions the photos of a reference file with a model, wherever the photos lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tqdm import tqdm

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.datasets.photos.index import PhotoIndex, StoredPhoto
from captioner.errors import ImageError
from captioner.evaluation.results import Candidate, left_out
from captioner.options import Options

if TYPE_CHECKING:
    from PIL.Image import Image

    from captioner.captioner import Captioner

Found = list[tuple[CaptionedPhoto, StoredPhoto]]


def locate(
    photos: Sequence[CaptionedPhoto], index: PhotoIndex, allow_missing: bool
) -> tuple[Found, list[str]]:
    """Where each photo lies, and a note on those that are nowhere.

    Raises CaptionerError for missing ones, unless `allow_missing` and some are there.
    """
    places = [(photo, index.find(photo.file_name)) for photo in photos]
    found = [(photo, place) for photo, place in places if place is not None]
    missing = [photo.file_name for photo, place in places if place is None]
    return found, _left_out(missing, len(photos), "are not in the folder", allow_missing)


def caption_found(
    captioner: Captioner,
    found: Found,
    options: Options,
    by_source: bool = False,
    batch_size: int = 16,
    allow_missing: bool = False,
) -> tuple[dict[PhotoId, Candidate], list[str]]:
    """A caption for each photo, in the order of `found`, and a note on those that cannot be read.

    With `by_source` a photo is captioned in the style of its source where the model has it.
    Raises CaptionerError for unreadable photos, unless `allow_missing` and some can be read.
    """
    captions: dict[PhotoId, Candidate] = {}
    broken = []
    known = captioner.styles if by_source else ()
    styles = {
        photo.id: photo.source if photo.source in known else options.style for photo, _ in found
    }
    with tqdm(total=len(found), unit="photo", desc="captioning", disable=None) as progress:
        for style in sorted(set(styles.values())):
            part = [(photo, place) for photo, place in found if styles[photo.id] == style]
            part.sort(key=lambda one: (one[1].place, one[1].position))
            outcomes = captioner.caption_many(
                _readers(part),
                batch_size=batch_size,
                options=replace(options, style=style),
                errors="return",
            )
            for (photo, _), outcome in zip(part, outcomes, strict=True):
                progress.update()
                if isinstance(outcome, ImageError):
                    broken.append(f"{photo.file_name} ({outcome.reason})")
                else:
                    captions[photo.id] = Candidate.of(outcome)
    notes = _left_out(broken, len(found), "cannot be read", allow_missing)
    return {photo.id: captions[photo.id] for photo, _ in found if photo.id in captions}, notes


def _readers(part: Found) -> Iterator[str | bytes]:
    for _, place in part:
        try:
            yield place.read()
        except Exception:  # a damaged archive: no picture, so that its photo is reported
            yield b""


def _left_out(names: Sequence[str], total: int, what: str, allow_missing: bool) -> list[str]:
    if not names:
        return []
    some = len(names) < total
    advice = "--allow-missing scores the others" if some else "there is none to score"
    note = f"{len(names)} of {total} photos {what}: {first_few(names)}"
    return left_out([note], allow_missing and some, advice)


def opener(found: Found) -> Callable[[PhotoId], Image | None]:
    """Opens a photo by its id as an upright RGB picture; None if it is not among those found."""
    from captioner.images import open_image

    places = {photo.id: place for photo, place in found}
    return lambda key: open_image(places[key].read()) if key in places else None
