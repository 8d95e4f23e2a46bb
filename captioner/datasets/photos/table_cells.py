"""What a cell of a table has to say of photos: a path, an address, bytes, text of bytes, a list."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from captioner.datasets.photos import remote
from captioner.datasets.photos.names import on_disk
from captioner.datasets.photos.photo import Photo
from captioner.errors import ImageError

# How base64 of a JPEG, PNG, GIF, WebP, TIFF begins.
_BASE64 = re.compile(
    r"\s*(?:data:image/[\w.+-]+;base64,|(?=/9j/|_9j_|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK))"
)
_LONGEST_PATH = 4096
_NO_NAME = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")


def photos(table: str, row: str, value: Any) -> Iterator[Photo]:
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
