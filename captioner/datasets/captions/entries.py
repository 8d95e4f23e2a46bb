"""What the rows of a file of captions say: of which photo each is, and its captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.datasets.captions.columns import (
    HALF,
    IDS,
    NAMES,
    ROW_IDS,
    Entry,
    captions,
    cell,
    has_caption,
    whole_caption,
)
from captioner.datasets.captions.files import json_rows, read_content
from captioner.datasets.captions.names import PhotoId, brief, first_few, photo_id
from captioner.errors import CaptionerError

_LISTS = ("annotations", "captions", "data", "results", "predictions")


def rows_of(path: Path, content: list[Entry] | dict[str, Any]) -> list[Entry]:
    """The rows of a list, of the list within an object, or of an object that has captions by photo.

    Raises CaptionerError for an object of another shape, naming its keys.
    """
    if isinstance(content, list):
        return content
    for name in _LISTS:
        if isinstance(content.get(name), list):
            return list(json_rows(path, content[name]))
    if content and "images" not in content and all(map(_are_captions, content.values())):
        return [
            Entry(f"{path}: entry {brief(key)}", {"image": key, "captions": value})
            for key, value in content.items()
        ]
    raise CaptionerError(
        f"{path}: neither a list of captions, nor captions by photo, nor COCO's 'images' and "
        f"'annotations'; it has {first_few(content, 8) or 'nothing'}"
    )


def _are_captions(value: Any) -> bool:
    """Whether it is a caption, or a list of them, each perhaps an object that has one."""
    several = value if isinstance(value, list) else [value]
    return all(isinstance(one, str) or (isinstance(one, dict) and captions(one)) for one in several)


def lacks(row: Entry, what: str) -> CaptionerError:
    """That a row needs something, naming what it has instead."""
    there = first_few(row.cells, 8) or "nothing"
    return CaptionerError(f"{row.place} needs {what}; it has {there}")


def read_id(row: Entry, columns: Sequence[str]) -> PhotoId:
    """The id in the first of the columns that the row has. Raises CaptionerError."""
    value = cell(row.cells, columns)
    if value is None:
        raise lacks(row, f"an '{columns[0]}'")
    return checked_id(row, value)


def checked_id(row: Entry, value: object) -> PhotoId:
    """The id that a cell means. Raises CaptionerError for what names no photo."""
    if value is None or value == "":
        raise lacks(row, "an 'image' or 'image_id' that says of which photo it is")
    key = photo_id(value)
    if key is None:
        raise CaptionerError(f"{row.place} has an id that is neither a number nor a name")
    if isinstance(key, str):
        _refuse_half(row, key)
    return key


def file_name(row: Entry) -> str:
    """The path of the row's photo; "" where the row has none. Raises CaptionerError."""
    value = cell(row.cells, NAMES)
    if isinstance(value, dict):  # as Hugging Face has pictures: bytes and path
        value = value.get("path")
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise CaptionerError(f"{row.place} has a file name that is no text")
    name = str(value).strip()
    _refuse_half(row, name)
    return name


def _refuse_half(row: Entry, name: str) -> None:
    if HALF.search(name):
        raise CaptionerError(f"{row.place} names a photo by half a character (a lone surrogate)")


def texts(row: Entry) -> list[str]:
    """The row's captions, "" for each that is empty. Raises CaptionerError."""
    if not has_caption(row.cells):
        raise lacks(row, "a 'caption'")
    return [whole_caption(text, row.place) for text in captions(row.cells)]


@dataclass(frozen=True)
class Captioned:
    """A row of results: the photo's id or file name, its captions, and all `cells` of the row."""

    id: PhotoId
    captions: tuple[str, ...]
    place: str
    cells: Mapping[str, Any]


def read_captioned(path: Path) -> list[Captioned]:
    """The rows of a file of results, in its order; photos with an "error" have no caption and are
    left out. Raises CaptionerError for content of another shape.
    """
    path = Path(path)
    found = []
    for row in rows_of(path, read_content(path)):
        if cell(row.cells, ("error",)):
            continue
        told, key = tuple(texts(row)), cell(row.cells, IDS)
        if key is None:
            key = file_name(row) or cell(row.cells, ROW_IDS)
        found.append(Captioned(checked_id(row, key), told, row.place, row.cells))
    if not found:
        raise CaptionerError(f"{path}: there is no caption in it")
    return found
