"""Photos in a table: a column of paths, addresses or the pictures' own bytes."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import IO, Any

from captioner.datasets.captions.columns import plain
from captioner.datasets.captions.names import first_few
from captioner.datasets.photos import remote, table_files
from captioner.datasets.photos.names import on_disk
from captioner.datasets.photos.photo import Photo
from captioner.errors import CaptionerError, ImageError

USUAL_COLUMNS = (
    *("path", "image", "image_path", "img", "img_path", "photo", "picture", "file", "file_path"),
    *("file_name", "filename", "filepath", "image_file", "pixel_values", "url", "image_url"),
    *("img_url", "coco_url", "jpg", "jpeg", "png", "webp", "bytes", "image_bytes"),
    *("images", "photos", "pictures", "image_name", "img_name", "image_file_path", "local_path"),
)
"""Where pictures are looked for in a table when no column is named, the first that it has: in
small or large letters, with a blank, "-" or "_" between words."""

# How base64 of a JPEG, PNG, GIF, WebP, TIFF begins.
_BASE64 = re.compile(
    r"\s*(?:data:image/[\w.+-]+;base64,|(?=/9j/|_9j_|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK))"
)
_LONGEST_PATH = 4096
_NO_NAME = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")


def rows(
    name: str, file: IO[bytes], column: str | None = None, keep: Sequence[str] = ()
) -> Iterator[Photo | ImageError]:
    """The photos in each row of the table `file`, which is called `name`; paths start beside it.

    `column` holds a path, an address, bytes, base64 text, or, as Hugging Face writes them, an
    object of "bytes" and "path", or a list of such; None stands for the first of USUAL_COLUMNS. A
    photo without a path is called `name#row`, rows counting from 0, and `name#row.number` where a
    row has a list. The cells of the columns `keep` come with it. Raises CaptionerError where a
    column is missing or the file is no such table.
    """
    chosen = _Choice(name, column, keep)
    for number, row in enumerate(table_files.rows(name, file, chosen)):
        if isinstance(row, ImageError):
            yield ImageError(f"{name}#{number}", row.reason)
            continue
        kept = {key: row.get(key) for key in keep}
        for photo in _photos(name, f"{name}#{number}", row.get(chosen.column)):
            if isinstance(photo.content, ImageError) and not keep:
                yield photo.content  # there is nothing else to say of it
            else:
                yield replace(photo, kept=kept)


class _Choice:
    """Which of a table's columns are read."""

    def __init__(self, name: str, wanted: str | None, keep: Sequence[str]) -> None:
        self._name, self._wanted, self._keep = name, wanted, keep
        self.column = ""

    def __call__(self, columns: Iterable[str], all_there: bool = True) -> list[str]:
        """The columns to read of those there; `all_there` unless a row may lack some."""
        there = list(columns)
        if not there:
            raise CaptionerError(f"{self._name}: is an empty table.")
        self.column = self._photos(there)
        for key in self._keep if all_there else ():
            if key not in there:
                raise self._lacks(key, there)
        return list(dict.fromkeys([self.column, *self._keep]))

    def _photos(self, there: Sequence[str]) -> str:
        if self._wanted in there:
            return str(self._wanted)
        known = {plain(name): name for name in reversed(there)}
        asked = USUAL_COLUMNS if self._wanted is None else (plain(self._wanted),)
        if found := [known[name] for name in asked if name in known]:
            return found[0]
        if self._wanted is not None:
            raise self._lacks(self._wanted, there)
        raise CaptionerError(
            f"{self._name}: which column holds the photos? Name it with --column: "
            f"{first_few(there, 20)}."
        )

    def _lacks(self, column: str, there: Sequence[str]) -> CaptionerError:
        return CaptionerError(
            f"{self._name}: has no column {column!r}; it has {first_few(there, 20)}."
        )


def _photos(table: str, row: str, value: Any) -> Iterator[Photo]:
    """The photos of a cell, several for a list; `row` is what one without a path is called."""
    if not isinstance(value, list):
        yield _photo(table, row, value)
    elif not value or isinstance(value[0], (int, float, list)):
        reason = "holds numbers, no picture; write it as PNG" if value else "names no picture"
        yield Photo(row, ImageError(row, reason))
    else:
        for number, one in enumerate(value):
            yield _photo(table, f"{row}.{number}", one)


def _photo(table: str, row: str, value: Any) -> Photo:
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        return _photo(table, row, path if content is None else content)
    if isinstance(value, (bytes, bytearray)):
        return Photo(row, bytes(value))
    if not isinstance(value, str) or not value:
        return Photo(row, ImageError(row, "names no picture"))
    if _BASE64.match(value) and (data := _decoded(value)) is not None:
        return Photo(row, data)
    if _NO_NAME.search(value) or len(value) > _LONGEST_PATH:
        what = "its text holds what no name can" if len(value) <= _LONGEST_PATH else "too long"
        return Photo(row, ImageError(row, f"names no file: {what}"))
    if remote.is_remote(value):
        return Photo(value, partial(remote.read, value))
    if remote.is_remote(table):
        address = f"{table.rpartition('/')[0]}/{value}"
        return Photo(address, partial(remote.read, address))
    folder = os.path.dirname(table)
    path = on_disk(os.path.join(folder, value))
    if value != value.strip() and not os.path.lexists(path):
        path = on_disk(os.path.join(folder, value.strip()))
    return Photo(path, path)


def _decoded(text: str) -> bytes | None:
    """The bytes behind base64 text, whatever lines it is broken into; None for a path."""
    start = _BASE64.match(text)
    assert start is not None
    named = start.group().strip()
    if not named and len(text) <= _LONGEST_PATH and "." in text:
        return None
    packed = "".join(text[start.end() :].split()).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return None
