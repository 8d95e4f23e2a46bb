"""What one row of a file of captions says: of which photo it is, and its captions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from captioner.datasets.captions.columns import (
    NAMES,
    Entry,
    captions,
    cell,
    has_caption,
    whole_caption,
)
from captioner.datasets.captions.files import json_rows
from captioner.datasets.captions.names import PhotoId, brief, first_few, photo_id
from captioner.errors import CaptionerError

_HALF = re.compile("[\ud800-\udfff]")
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
            Entry(f"entry {brief(key)}", {"image": key, "captions": value})
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


def lacks(path: Path, row: Entry, what: str) -> CaptionerError:
    """That a row needs something, naming what it has instead."""
    there = first_few(row.cells, 8) or "nothing"
    return CaptionerError(f"{path}: {row.place} needs {what}; it has {there}")


def read_id(path: Path, row: Entry, columns: Sequence[str]) -> PhotoId:
    """The id in the first of the columns that the row has. Raises CaptionerError."""
    value = cell(row.cells, columns)
    if value is None:
        raise lacks(path, row, f"an '{columns[0]}'")
    return checked_id(path, row, value)


def checked_id(path: Path, row: Entry, value: object) -> PhotoId:
    """The id that a cell means. Raises CaptionerError for what names no photo."""
    if value is None or value == "":
        raise lacks(path, row, "an 'image' or 'image_id' that says of which photo it is")
    key = photo_id(value)
    if key is None:
        raise CaptionerError(f"{path}: {row.place} has an id that is neither a number nor a name")
    if isinstance(key, str):
        _refuse_half(path, row, key)
    return key


def file_name(path: Path, row: Entry) -> str:
    """The path of the row's photo; "" where the row has none. Raises CaptionerError."""
    value = cell(row.cells, NAMES)
    if isinstance(value, dict):  # as Hugging Face has pictures: bytes and path
        value = value.get("path")
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise CaptionerError(f"{path}: {row.place} has a file name that is no text")
    name = str(value).strip()
    _refuse_half(path, row, name)
    return name


def _refuse_half(path: Path, row: Entry, name: str) -> None:
    if _HALF.search(name):
        raise CaptionerError(
            f"{path}: {row.place} names a photo by half a character (a lone surrogate)"
        )


def texts(path: Path, row: Entry) -> list[str]:
    """The row's captions, "" for each that is empty. Raises CaptionerError."""
    if not has_caption(row.cells):
        raise lacks(path, row, "a 'caption'")
    return [whole_caption(text, f"{path}: {row.place}") for text in captions(row.cells)]
