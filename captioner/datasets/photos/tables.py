"""Photos in a table: a column of paths, addresses or the pictures' own bytes."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import IO, Any

from captioner.datasets.photos import remote
from captioner.datasets.photos.names import on_disk
from captioner.datasets.photos.photo import Photo
from captioner.errors import CaptionerError, ImageError
from captioner.extras import how_to_install

USUAL_COLUMNS = (
    *("path", "image", "image_path", "file", "file_name", "filename", "filepath"),
    *("url", "image_url", "jpg", "bytes", "image_bytes"),
)
"""Where pictures are looked for in a table when no column is named, the first that it has."""

_BASE64 = re.compile(r"data:image/[\w.+-]+;base64,|(?=/9j/|iVBORw0KGgo|R0lGOD|UklGR)")
_LONGEST_PATH = 4096

Row = Mapping[str, Any]


def rows(name: str, file: IO[bytes], column: str | None) -> Iterator[Photo | ImageError]:
    """A photo for each row of the table `file`, which is called `name`; paths start beside it.

    `column` holds a path, an address, bytes, base64 text, or, as Hugging Face writes them, an
    object of "bytes" and "path"; None stands for the first of USUAL_COLUMNS. A photo without a
    path is called `name#row`, rows counting from 0. Raises CaptionerError where the column is
    missing or the file is no such table.
    """
    suffix = os.path.splitext(name)[1].lower()
    readers: dict[str, Callable[..., Iterator[Any]]] = {
        ".csv": partial(_csv, delimiter=","),
        ".tsv": partial(_csv, delimiter="\t"),
        ".parquet": _parquet,
    }
    reader = readers.get(suffix, _json_lines)
    for number, value in enumerate(reader(name, file, column)):
        if isinstance(value, ImageError):
            yield ImageError(f"{name}#{number}", value.reason)
        else:
            yield _photo(name, number, value)


def check(name: str, file: IO[bytes], column: str | None) -> None:
    """Raise CaptionerError where the first row cannot be had: no such column, no such table."""
    next(rows(name, file, column), None)


def parquet() -> Any:
    """pyarrow's Parquet module. Raises CaptionerError where pyarrow is not installed."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise CaptionerError(
            f"Parquet needs the package pyarrow: {how_to_install('parquet')}."
        ) from None
    return pyarrow.parquet


def _column(name: str, columns: Iterable[str], wanted: str | None) -> str:
    there = list(columns)
    if not there:
        raise CaptionerError(f"{name}: is an empty table.")
    if wanted is None:
        for usual in USUAL_COLUMNS:
            if usual in there:
                return usual
        raise CaptionerError(
            f"{name}: which column holds the photos? Name it with --column: {', '.join(there)}."
        )
    if wanted not in there:
        raise CaptionerError(f"{name}: has no column {wanted!r}; it has {', '.join(there)}.")
    return wanted


def _csv(name: str, file: IO[bytes], column: str | None, delimiter: str) -> Iterator[Any]:
    csv.field_size_limit(remote.MAX_BYTES * 2)
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.DictReader(text, delimiter=delimiter)
    key = _column(name, reader.fieldnames or (), column)
    try:
        for row in reader:
            yield row[key]
    except csv.Error as error:
        yield ImageError(name, f"is damaged (line {reader.line_num}: {error})")


def _json_lines(name: str, file: IO[bytes], column: str | None) -> Iterator[Any]:
    key = None
    for line in filter(bytes.strip, file):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            yield ImageError(name, "is no JSON object")
            continue
        key = key or _column(name, row, column)
        yield row.get(key)


def _parquet(name: str, file: IO[bytes], column: str | None) -> Iterator[Any]:
    module = parquet()
    try:
        table = module.ParquetFile(file, buffer_size=1 << 20)
    except Exception as error:  # pyarrow has a family of errors, and the file system its own
        raise CaptionerError(f"{name}: is no Parquet file, or cut off ({error}).") from None
    key = _column(name, table.schema_arrow.names, column)
    try:
        for batch in table.iter_batches(batch_size=16, columns=[key]):
            yield from batch.column(0).to_pylist()
    except Exception as error:
        yield ImageError(name, f"is damaged ({error})")


def _photo(name: str, number: int, value: Any) -> Photo | ImageError:
    row = f"{name}#{number}"
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
        return _photo(name, number, path) if content is None else Photo(row, content)
    if isinstance(value, (bytes, bytearray)):
        return Photo(row, bytes(value))
    if not isinstance(value, str) or not value:
        return ImageError(row, "names no picture")
    if re.search("[\0\ud800-\udc7f\udd00-\udfff]", value):
        return ImageError(row, "names no file: its text holds what no name can")
    if (data := _decoded(value)) is not None:
        return Photo(row, data)
    if remote.is_remote(value):
        return Photo(value, partial(remote.read, value))
    if remote.is_remote(name):
        address = f"{name.rpartition('/')[0]}/{value}"
        return Photo(address, partial(remote.read, address))
    path = on_disk(os.path.join(os.path.dirname(name), value))
    return Photo(path, path)


def _decoded(text: str) -> bytes | None:
    """The bytes behind base64 text; None for what rather is a path."""
    start = _BASE64.match(text)
    if start is None or (not start.group() and len(text) <= _LONGEST_PATH and "." in text):
        return None
    try:
        return base64.b64decode(text[start.end() :], validate=True)
    except binascii.Error:
        return None
