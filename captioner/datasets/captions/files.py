"""The rows of a file of captions, however it is written: JSON, JSON lines, a table, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from captioner.datasets.captions.columns import LONGEST, Entry, columns, has_caption, has_photo
from captioner.datasets.text import encoding_of
from captioner.errors import CaptionerError, why_unread

_DELIMITERS = ",;\t|"


def read_content(path: Path) -> list[Entry] | dict[str, Any]:
    """The rows of a file, or the JSON object that it is. Raises CaptionerError.

    What the file is, its content tells; of its name only the endings .parquet, .jsonl, .ndjson and
    .gz count. Lines end at line feeds only: U+2028 or U+0085 may stand within a caption.
    """
    if path.suffix.lower() == ".parquet":
        return list(_parquet(path))
    text = read_text(path)
    start = text.lstrip()[:1]
    if not start:
        raise CaptionerError(f"{path}: the file is empty")
    name = path.name.lower().removesuffix(".gz")
    if start == "{" and name.endswith((".jsonl", ".ndjson")):
        return list(_json_lines(path, text))
    if start in "[{":
        return _json(path, text)
    first = next(line for line in text.split("\n") if line.strip())
    if "\t" in first and "#" in first.split("\t")[0]:
        return list(_token_lines(path, text))
    return _table(path, text, first.lstrip("\r").split("\r")[0])


def read_text(path: Path) -> str:
    """A text file, in UTF-8 or whatever its byte-order mark says; unpacked if its name is *.gz."""
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CaptionerError(f"{path}: is cut off or damaged, or no gzip file") from error
    except OSError as error:
        raise CaptionerError(f"{path}: {why_unread(error)}") from error
    encoding = encoding_of(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        raise CaptionerError(f"{path}: not a text file in {name} (byte {error.start})") from error


def read_json(path: Path) -> Any:
    """The content of a JSON file; CaptionerError names the place where it is broken."""
    return _parsed(path, read_text(path))


def _json(path: Path, text: str) -> list[Entry] | dict[str, Any]:
    try:
        content = _parsed(path, text)
    except CaptionerError as error:
        if getattr(error.__cause__, "msg", "") == "Extra data":  # JSON lines by another name
            return list(_json_lines(path, text))
        raise
    if isinstance(content, list):
        return list(json_rows(path, content))
    if has_photo(content) and has_caption(content):
        return [Entry(f"{path}: line 1", content)]
    return dict(content)


def json_rows(path: Path, entries: list[Any]) -> Iterator[Entry]:
    """The objects of a JSON list as rows. Raises CaptionerError where one is no object."""
    for number, entry in enumerate(entries, 1):
        yield _row(f"{path}: entry {number}", entry)


def _json_lines(path: Path, text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _row(f"{path}: line {number}", _parsed(path, line, f"line {number}"))


def _row(place: str, entry: Any) -> Entry:
    if not isinstance(entry, dict):
        kind = {list: "a list", str: "a text", type(None): "null"}.get(type(entry), "a number")
        raise CaptionerError(f"{place} is {kind}, where an object with names and values should be")
    return Entry(place, entry)


def _parsed(path: Path, text: str, line: str = "") -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        what = f"{line} is not JSON" if line else f"not valid JSON at {place}"
        raise CaptionerError(f"{path}: {what}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        why = "its brackets are nested too deep" if deep else "a number in it has too many digits"
        raise CaptionerError(f"{path}: cannot be read as captions: {why}") from error


def _token_lines(path: Path, text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        label, tab, caption = line.removesuffix("\r").partition("\t")
        name, mark, _ = label.rpartition("#")
        if not tab or not mark:
            raise CaptionerError(f"{path}: line {number} is not 'name.jpg#0<TAB>caption'")
        yield Entry(f"{path}: line {number}", {"image": name, "caption": caption})


def _table(path: Path, text: str, header: str) -> list[Entry]:
    """The rows of a table whose first line, `header`, says what its columns are: their cells stand
    between commas, semicolons, tabs or bars."""
    delimiter = _delimiter(path, header)
    try:
        return list(_table_rows(path, text, delimiter, csv.QUOTE_MINIMAL))
    except CaptionerError:
        if delimiter in ",;":
            raise
        # Quotes belong to the captions.
        return list(_table_rows(path, text, delimiter, csv.QUOTE_NONE))


def _delimiter(path: Path, header: str) -> str:
    names = {sign: next(csv.reader([header], delimiter=sign), []) for sign in _DELIMITERS}
    for sign, found in names.items():
        if has_photo(found) and has_caption(found):
            return sign
    sign = max(_DELIMITERS, key=lambda sign: len(names[sign]))
    if len(names[sign]) > 1 and (has_photo(names[sign]) or has_caption(names[sign])):
        columns(path, names[sign])
    raise CaptionerError(
        f"{path}: line 1 is of no known caption format (COCO or Karpathy .json, JSON lines, a "
        "table whose header names an image and a caption, or 'name.jpg#0<TAB>caption')"
    )


def _table_rows(path: Path, text: str, delimiter: str, quoting: int) -> Iterator[Entry]:
    csv.field_size_limit(max(csv.field_size_limit(), 4 * LONGEST))
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=quoting,  # type: ignore[arg-type]  # a number, to the checker only some
        strict=True,
    )
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            place = f"{path}: line {line}"
            if not header and "".join(cells).strip():
                columns(path, cells)
                header = cells
            elif header and (len(cells) > 1 or "".join(cells).strip()):
                yield Entry(place, _named(place, header, cells, delimiter))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CaptionerError(
            f"{path}: line {line} cannot be read as a table's row: {error}"
        ) from error


def _named(place: str, header: list[str], cells: list[str], delimiter: str) -> dict[str, str]:
    if len(cells) != len(header):
        advice = f"; text that holds {delimiter!r} must stand in quotes" if delimiter != "|" else ""
        raise CaptionerError(
            f"{place} has {len(cells)} cells, and the header has {len(header)}{advice}"
        )
    return {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _parquet(path: Path) -> Iterator[Entry]:
    """The rows, without the columns of bytes: a photo is named by its path, else by its row."""
    from captioner.datasets.photos.table_files import parquet

    module = parquet()
    try:
        file = module.ParquetFile(path)
        names = file.schema_arrow.names
        rows = file.read(columns=list(_without_bytes(file.schema_arrow))).to_pylist()
    except Exception as error:  # pyarrow has a family of errors, and raises the system's too
        of_system = isinstance(error, OSError) and error.errno
        why = why_unread(error) if of_system else "is no Parquet file, or cut off"
        raise CaptionerError(f"{path}: {why}") from None
    columns(path, names)
    for number, row in enumerate(rows):
        cells = _paths(row)
        named = {} if has_photo(cells) else {"image": f"{path.name}#{number}"}
        yield Entry(f"{path}: row {number}", {**named, **cells})


def _without_bytes(schema: Any) -> Iterator[str]:
    from pyarrow import types

    for field in schema:
        if types.is_struct(field.type):
            yield from (f"{field.name}.{name}" for name in _without_bytes(field.type))
        elif not re.search("binary", str(field.type)):
            yield field.name


def _paths(row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells that hold something, a picture's object of bytes and path as its path."""
    named = {
        name: cell.get("path") if isinstance(cell, dict) and set(cell) <= {"path"} else cell
        for name, cell in row.items()
    }
    return {name: cell for name, cell in named.items() if cell is not None}
