"""Formats of an output file: one class each, behind one name.

While a run lasts its rows stand in a draft of lines; `finish` makes the file itself of it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from captioner.batch.columns import Columns
from captioner.batch.fields import cell
from captioner.batch.result import PhotoResult
from captioner.datasets.photos.table_files import reader
from captioner.errors import CaptionerError, ImageError
from captioner.files import replace_file, whole_file

_ENDS = re.compile("[\x7f-\x9f\u2028\u2029]")
_STEERS = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")  # a terminal, or lines
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)
_BYTE_ORDER_MARK = "\ufeff"


class Format(ABC):
    """How rows are written, and read again from a finished file."""

    encoding_errors = "surrogateescape"  # a path comes out with the bytes it has on disk

    def header(self) -> str:
        return ""

    @abstractmethod
    def rows(self, result: PhotoResult) -> str:
        """Whole lines: none where the format has no place for a failure."""

    @abstractmethod
    def key(self, path: str) -> str:
        """What tells a photo's rows from those of the others."""

    def finish(self, draft: Path, target: Path) -> None:
        """Put the finished file into the place of `target`, and take the draft away."""
        replace_file(draft, target)

    @abstractmethod
    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        """Key and line of each caption in a finished file. Raises CaptionerError."""


class Lines(Format):
    """A format whose rows have columns."""

    default: tuple[str, ...] = ()
    """The fields of a row where none are asked for."""

    suffix = ""
    """How the name of a table ends that is read as this is."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def key(self, path: str) -> str:
        return self.columns.path(path)

    def line(self, row: Mapping[str, Any]) -> str:
        """A row, by what its columns are called, as it stands in the draft."""
        return to_json(row)

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        heads, path = self.columns.heads, self.columns.head("path")

        def choose(columns: Iterable[str], all_there: bool = True) -> list[str]:
            there = list(columns)
            if there != heads if all_there else not set(there) <= set(heads):
                raise CaptionerError(
                    f"{target}: has the columns {', '.join(there)}; to add to it, choose the same"
                    " --fields, --rename and --keep, or make it anew with --overwrite."
                )
            return there

        with open(target, "rb") as file:
            rows = reader(self.suffix)(str(target), file, choose)
            for number, row in enumerate(rows, 1):
                if isinstance(row, ImageError) or path not in row:
                    raise CaptionerError(f"{target}: row {number} is no row of captions.")
                choose(row, all_there=False)
                if self.columns.has_caption(row):
                    yield str(row[path]), self.line({h: row.get(h) for h in heads})


class Text(Lines):
    """`path<TAB>caption`, a line for each further caption after it; none for a failure.

    It alone has a field "rank", 1 for the best sentence of a photo. A score has three digits. What
    would end a cell or a line, or steer a terminal, is written out: \\n.
    """

    default = ("caption",)

    def rows(self, result: PhotoResult) -> str:
        if result.caption is None:
            return ""
        lines = []
        for rank, caption in enumerate((result.caption, *result.caption.alternatives), 1):
            facts = {**result.facts, "rank": rank}
            caption = replace(caption, score=round(caption.score, 3))
            values = self.columns.row(replace(result, caption=caption, facts=facts))
            lines.append("\t".join(written_out(cell(value)) for value in values.values()))
        return "".join(f"{line}\n" for line in lines)

    def key(self, path: str) -> str:
        return written_out(super().key(path))

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        names = [*self.columns.own, *self.columns.kept]
        with open(target, encoding="utf-8", errors=self.encoding_errors, newline="\n") as file:
            for number, line in enumerate(file, 1):
                cells = line.rstrip("\n").split("\t")
                if len(cells) != len(names):
                    raise CaptionerError(
                        f"{target}: line {number} does not hold {', '.join(names)}; to add to it,"
                        " choose the same --top, or make it anew with --overwrite."
                    )
                yield cells[names.index("path")], line


class JsonLines(Lines):
    """One object a line, all with the same keys: null where a photo has no such thing.

    "error" is a text in each, "" for a photo with a caption: Hugging Face's `datasets` takes the
    type of a key from the first ten megabytes, and of nulls alone it makes a type that holds no
    text later on.
    """

    default = ("caption", "score", "words", "error")
    encoding_errors = "backslashreplace"  # which is JSON's own way to write such a character

    def rows(self, result: PhotoResult) -> str:
        return self.line(self.columns.row(result))

    def line(self, row: Mapping[str, Any]) -> str:
        head = self.columns.head("error")
        return super().line({**row, head: row[head] or ""} if head in row else row)


class Json(JsonLines):
    """A list of such objects."""

    suffix = ".json"

    def finish(self, draft: Path, target: Path) -> None:
        finish_list(draft, target)


class Csv(Lines):
    """A header, then a row a photo; a field that a photo does not have is an empty cell.

    A text that a spreadsheet would take for a formula gets a mark before it: "./" a path on this
    machine, "'" any other. With `mark` the file starts with a byte-order mark, by which Excel knows
    UTF-8.
    """

    default = ("caption", "score", "error")
    suffix = ".csv"
    delimiter = ","

    def __init__(self, columns: Columns, mark: bool = False) -> None:
        super().__init__(columns)
        self._mark = _BYTE_ORDER_MARK if mark else ""

    def header(self) -> str:
        return self._mark + self._line(self.columns.heads)

    def rows(self, result: PhotoResult) -> str:
        values = self.columns.row(result)
        values[self.columns.head("path")] = self.key(result.path)
        return self._line([defused(cell(value)) for value in values.values()])

    def line(self, row: Mapping[str, Any]) -> str:
        return self._line([*row.values()])

    def key(self, path: str) -> str:
        return defused_path(self.columns.path(path))

    def _line(self, cells: list[str]) -> str:
        line = io.StringIO()
        # with \r\n for an end, either of the two has a cell put into quotes
        csv.writer(line, delimiter=self.delimiter, lineterminator="\r\n").writerow(cells)
        return line.getvalue().removesuffix("\r\n") + "\n"


class Tsv(Csv):
    """The same, with tabs between the cells."""

    delimiter = "\t"


def to_json(values: Any) -> str:
    """A line of JSON. What some programs take for the end of a line, U+2028 say, and what steers a
    terminal is written as \\u…"""
    text = json.dumps(values, ensure_ascii=False, default=str)
    return _ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def finish_list(draft: Path, target: Path) -> None:
    """Put the draft's lines of JSON into a list, and that into the place of `target`."""
    with open(draft, encoding="utf-8", newline="\n") as lines, whole_file(target, "w") as file:
        file.write("[")
        for number, line in enumerate(lines):
            file.write(("," if number else "") + "\n" + line.rstrip("\n"))
        file.write("\n]\n")
    draft.unlink()


def written_out(text: str, but: str = "") -> str:
    """The text with what ends lines or steers a terminal written out, \\n, `but` those."""

    def visible(found: re.Match[str]) -> str:
        return found[0] if found[0] in but else found[0].encode("unicode_escape").decode()

    return _STEERS.sub(visible, text)


def defused(text: str) -> str:
    """The text with a mark before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def defused_path(path: str) -> str:
    """The same for a path, which must lead to the photo still."""
    return f"./{path}" if path.startswith(_FORMULA) else path
