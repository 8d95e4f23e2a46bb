"""Rows as a Parquet file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from captioner.batch.columns import Columns
from captioner.batch.fields import cell
from captioner.batch.result import PhotoResult
from captioner.batch.rows import Lines
from captioner.datasets.photos.table_files import parquet
from captioner.files import whole_file

_CHUNK = 8192  # rows that are in memory at once


class Parquet(Lines):
    """A Parquet file; while the run lasts its rows are lines of JSON. Needs pyarrow."""

    default = ("caption", "score", "error")
    suffix = ".parquet"
    encoding_errors = "backslashreplace"

    def __init__(self, columns: Columns) -> None:
        super().__init__(columns)
        self._as_text: list[str] = []
        parquet()  # says where it is not installed

    def rows(self, result: PhotoResult) -> str:
        return self.line(self.columns.row(result))

    def finish(self, draft: Path, target: Path) -> None:
        import pyarrow

        schema = self._schema(draft)
        with (
            whole_file(target, "wb") as file,
            parquet().ParquetWriter(file, schema) as writer,
        ):
            rows = map(self._readable, _lines(draft))
            while chunk := list(islice(rows, _CHUNK)):
                writer.write_table(pyarrow.Table.from_pylist(chunk, schema=schema))
        draft.unlink()

    def _readable(self, row: dict[str, Any]) -> dict[str, Any]:
        """Parquet's text is UTF-8 without exception: other bytes in a path are written as \\x…"""
        head = self.columns.head("path")
        row[head] = os.fsencode(row[head]).decode("utf-8", "backslashreplace")
        return row | {head: cell(row[head]) for head in self._as_text if row[head] is not None}

    def _schema(self, draft: Path) -> Any:
        import pyarrow

        text, number, words = pyarrow.string(), pyarrow.float64(), pyarrow.list_(pyarrow.string())
        sentence = pyarrow.struct([("caption", text), ("score", number), ("words", words)])
        types = {
            "score": number,
            "confidence": number,
            "words": words,
            "alternatives": pyarrow.list_(sentence),
            "size": pyarrow.list_(pyarrow.int32()),
            "bytes": pyarrow.int64(),
        }
        columns = [(head, types.get(name, text)) for name, head in self.columns.own.items()]
        for head in self.columns.of_table.values():
            kind = _type_of(row[head] for row in _lines(draft))
            if kind is None:
                self._as_text.append(head)
            columns.append((head, kind or text))
        return pyarrow.schema(columns)


def _lines(draft: Path) -> Iterator[dict[str, Any]]:
    with open(draft, encoding="utf-8", newline="\n") as lines:
        yield from map(json.loads, lines)


def _type_of(values: Iterable[Any]) -> Any:
    """The type that holds all these values of a kept column; None where none does."""
    import pyarrow

    kinds = dict.fromkeys(pyarrow.infer_type([value]) for value in values)
    kinds.pop(pyarrow.null(), None)
    schemas = [pyarrow.schema([("x", kind)]) for kind in kinds]
    try:
        return pyarrow.unify_schemas(schemas, promote_options="permissive").field("x").type
    except (pyarrow.ArrowTypeError, pyarrow.ArrowInvalid):  # none fits all, or there are none
        return None
