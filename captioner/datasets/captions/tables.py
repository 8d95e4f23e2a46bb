"""Tables of captions with a header, their cells between commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from captioner.datasets.captions.columns import LONGEST, Entry, columns, has_caption, has_photo
from captioner.errors import CaptionerError

_DELIMITERS = ",;\t|"


def table_rows(path: Path, text: str, header: str) -> list[Entry]:
    """The rows of a table; `header` is its first line, which says what its columns are.

    Raises CaptionerError where the header lacks a column, or a row has more or fewer cells.
    """
    delimiter = _delimiter(path, header)
    try:
        return list(_rows(path, text, delimiter, csv.QUOTE_MINIMAL))
    except CaptionerError:
        if delimiter in ",;":
            raise
        return list(_rows(path, text, delimiter, csv.QUOTE_NONE))  # quotes belong to the captions


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


def _rows(path: Path, text: str, delimiter: str, quoting: int) -> Iterator[Entry]:
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
