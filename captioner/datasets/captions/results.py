"""Captions that a system made, from files of every shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captioner.datasets.captions.columns import IDS, ROW_IDS, Entry, cell
from captioner.datasets.captions.entries import checked_id, file_name, rows_of, texts
from captioner.datasets.captions.files import read_content
from captioner.datasets.captions.names import PhotoId
from captioner.errors import CaptionerError


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
        if not cell(row.cells, ("error",)):
            captions = tuple(texts(path, row))
            found.append(Captioned(_key(path, row), captions, row.place, row.cells))
    if not found:
        raise CaptionerError(f"{path}: there is no caption in it")
    return found


def _key(path: Path, row: Entry) -> PhotoId:
    value = cell(row.cells, IDS)
    if value is None:
        value = file_name(path, row) or cell(row.cells, ROW_IDS)
    return checked_id(path, row, value)
