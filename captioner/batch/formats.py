"""Formats of an output file: one class each, behind one name.

While a run lasts its rows stand in a draft of lines; `finish` makes the file itself of it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

from captioner.batch.fields import cell, has_caption, ordered, row
from captioner.batch.result import Result
from captioner.datasets.photos.tables import parquet
from captioner.errors import CaptionerError
from captioner.files import replace_file, whole_file

_ENDS = re.compile("[\x7f-\x9f\u2028\u2029]")
_CHUNK = 8192  # rows of a Parquet file that are in memory at once


class Format(Protocol):
    """How rows are written, and read again from a finished file."""

    encoding_errors: str
    """What becomes of a path that is not UTF-8."""

    fields: Collection[str]

    def header(self) -> str: ...
    def rows(self, result: Result) -> str:
        """Whole lines: none where the format has no place for a failure."""

    def key(self, path: str) -> str:
        """What tells a photo's rows from those of the others."""

    def finish(self, draft: Path, target: Path) -> None:
        """Put the finished file into the place of `target`, and take the draft away."""

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        """Key and line of each caption in a finished file. Raises CaptionerError."""


class Lines:
    """A format whose draft is the file."""

    default: Collection[str] = ()
    encoding_errors = "surrogateescape"  # a path comes out with the bytes it has on disk

    def __init__(self, fields: Collection[str] | None = None) -> None:
        self.fields = self.default if fields is None else fields

    def header(self) -> str:
        return ""

    def key(self, path: str) -> str:
        return path

    def finish(self, draft: Path, target: Path) -> None:
        replace_file(draft, target)


class Text(Lines):
    """`path<TAB>caption`, a line for each further caption after it; none for a failure.

    It alone has a field "rank", 1 for the best sentence of a photo. A score has three digits.
    """

    default = ("caption",)

    def rows(self, result: Result) -> str:
        if result.caption is None:
            return ""
        lines = []
        for rank, caption in enumerate((result.caption, *result.caption.alternatives), 1):
            facts = {**result.facts, "rank": rank}
            caption = replace(caption, score=round(caption.score, 3))
            values = row(replace(result, caption=caption, facts=facts), self.fields)
            lines.append("\t".join(cell(values.get(name)) for name in ordered(self.fields)))
        return "".join(f"{line}\n" for line in lines)

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        names = ordered(self.fields)
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
    """One object a line: path, caption, score, words and alternatives, or path and error."""

    default = ("caption", "score", "words", "alternatives", "error")
    encoding_errors = "backslashreplace"  # which is JSON's own way to write such a character

    def rows(self, result: Result) -> str:
        return to_json(row(result, self.fields))

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        with open(target, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                try:
                    values = json.loads(line)
                    key = values["path"]
                except (ValueError, KeyError, TypeError):
                    raise CaptionerError(
                        f"{target}: line {number} is no row of captions."
                    ) from None
                if has_caption(values):
                    yield key, line


class Csv(Lines):
    """A header, then a row a photo; a field that a photo does not have is an empty cell."""

    default = ("caption", "score", "error")

    def header(self) -> str:
        return self._line(ordered(self.fields))

    def rows(self, result: Result) -> str:
        values = row(result, self.fields)
        return self._line([cell(values.get(name)) for name in ordered(self.fields)])

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        with open(target, encoding="utf-8", errors=self.encoding_errors, newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or ())
            if columns != ordered(self.fields):
                raise CaptionerError(
                    f"{target}: has the columns {', '.join(columns)}; to add to it, choose the same"
                    " --fields, or make it anew with --overwrite."
                )
            for values in reader:
                if has_caption(values):
                    yield values["path"], self._line([values[name] for name in columns])

    def _line(self, cells: list[str]) -> str:
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        return line.getvalue()


class Parquet(Lines):
    """A Parquet file; while the run lasts its rows are lines of JSON. Needs pyarrow."""

    default = ("caption", "score", "error")
    encoding_errors = "backslashreplace"

    def __init__(self, fields: Collection[str] | None = None) -> None:
        super().__init__(fields)
        self._schema = _arrow_schema(ordered(self.fields))

    def rows(self, result: Result) -> str:
        return to_json(row(result, self.fields))

    def finish(self, draft: Path, target: Path) -> None:
        import pyarrow

        with (
            open(draft, encoding="utf-8", newline="\n") as lines,
            whole_file(target, "wb") as file,
            parquet().ParquetWriter(file, self._schema) as writer,
        ):
            while chunk := [_readable(json.loads(line)) for line in islice(lines, _CHUNK)]:
                writer.write_table(pyarrow.Table.from_pylist(chunk, schema=self._schema))
        draft.unlink()

    def existing(self, target: Path) -> Iterator[tuple[str, str]]:
        try:
            table = parquet().ParquetFile(target)
        except (OSError, ValueError):  # pyarrow's own errors are among these
            raise CaptionerError(f"{target}: is no Parquet file.") from None
        if table.schema_arrow.names != self._schema.names:
            raise CaptionerError(
                f"{target}: has the columns {', '.join(table.schema_arrow.names)}; to add to it,"
                " choose the same --fields, or make it anew with --overwrite."
            )
        batches = table.iter_batches(batch_size=_CHUNK)
        for values in chain.from_iterable(batch.to_pylist() for batch in batches):
            if has_caption(values):
                yield values["path"], to_json({k: v for k, v in values.items() if v is not None})


FORMATS: dict[str, type[Text] | type[JsonLines] | type[Csv] | type[Parquet]] = {
    "text": Text,
    "jsonl": JsonLines,
    "csv": Csv,
    "parquet": Parquet,
}
"""Formats of rows; COCO's, which takes more than rows, is in `coco.py`."""


def to_json(values: Any) -> str:
    """A line of JSON. What some programs take for the end of a line, U+2028 say, and what steers a
    terminal is written as \\u…"""
    text = json.dumps(values, ensure_ascii=False)
    return _ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _readable(values: dict[str, Any]) -> dict[str, Any]:
    """Parquet's text is UTF-8 without exception: other bytes in a path are written as \\x…"""
    values["path"] = os.fsencode(values["path"]).decode("utf-8", "backslashreplace")
    return values


def _arrow_schema(fields: list[str]) -> Any:
    parquet()
    import pyarrow

    text, number, words = pyarrow.string(), pyarrow.float64(), pyarrow.list_(pyarrow.string())
    sentence = pyarrow.struct([("caption", text), ("score", number), ("words", words)])
    types = {
        "score": number,
        "words": words,
        "alternatives": pyarrow.list_(sentence),
        "size": pyarrow.list_(pyarrow.int32()),
        "bytes": pyarrow.int64(),
    }
    return pyarrow.schema([(name, types.get(name, text)) for name in fields])
