"""The rows of a table, as they come: CSV and TSV, JSON lines and arrays, Parquet, Arrow."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, Protocol

from captioner.datasets.photos.remote import MAX_BYTES
from captioner.datasets.text import encoding_of, parsed
from captioner.errors import CaptionerError, ImageError
from captioner.extras import needed

Row = Mapping[str, Any]

_DELIMITERS = ",;\t|"


class Choose(Protocol):
    def __call__(self, columns: Iterable[str], all_there: bool = True) -> list[str]: ...


def rows(name: str, file: IO[bytes], choose: Choose) -> Iterator[Row | ImageError]:
    """The rows of the table `file`, of which `choose` says what columns are read; in place of a row
    that cannot be had, why. Raises CaptionerError where the file is no such table.
    """
    suffix = os.path.splitext(name.lower().removesuffix(".gz"))[1]
    unpacked: Any = gzip.GzipFile(fileobj=file) if name.lower().endswith(".gz") else file
    try:
        yield from reader(suffix)(name, unpacked, choose)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield ImageError(name, "is cut off or damaged, or no gzip file; copy it again")
    except UnicodeDecodeError as error:
        yield ImageError(name, f"is damaged (no {error.encoding} text)")


def reader(suffix: str) -> Callable[[str, Any, Choose], Iterator[Row | ImageError]]:
    """What reads the rows of a table whose name ends so."""
    readers = {
        ".csv": _csv,
        ".tsv": _csv,
        ".json": _json,
        ".parquet": _parquet,
        ".arrow": _arrow,
    }
    return readers.get(suffix, _json_lines)


def parquet() -> Any:
    """pyarrow's Parquet module. Raises CaptionerError where pyarrow is not installed."""
    with needed("Parquet needs the package pyarrow", "parquet"):
        import pyarrow.parquet
    return pyarrow.parquet


def _text(file: Any, newline: str) -> io.TextIOWrapper:
    """The file as text in the encoding that its byte-order mark says; lines are ended as said."""
    start = file.read(4)
    file.seek(0)
    encoding = encoding_of(start)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return io.TextIOWrapper(file, encoding, errors=errors, newline=newline)


def _csv(name: str, file: Any, choose: Choose) -> Iterator[Row | ImageError]:
    csv.field_size_limit(MAX_BYTES * 2)
    text = _text(file, newline="")
    tabs = name.lower().removesuffix(".gz").endswith(".tsv")
    header, delimiter = _header(text, "\t" if tabs else _DELIMITERS, choose)
    reader = csv.reader(text, delimiter=delimiter)
    try:
        for cells in reader:
            if len(cells) == len(header):
                yield dict(zip(header, cells, strict=True))
            elif cells:
                yield ImageError(
                    name,
                    f"line {reader.line_num + 1} has {len(cells)} cells, and the header has"
                    f" {len(header)}; text that holds {delimiter!r} must stand in quotes",
                )
    except csv.Error as error:
        yield ImageError(name, f"is damaged (line {reader.line_num + 1}: {error})")


def _header(text: IO[str], delimiters: str, choose: Choose) -> tuple[list[str], str]:
    """The names in a header, and what stands between them: what gives names that are known."""
    line = text.readline()
    found = [(next(csv.reader([line], delimiter=sign), []), sign) for sign in delimiters]
    for names, sign in found:
        try:
            choose(names)
        except CaptionerError:
            continue
        return names, sign
    names, sign = max(found, key=lambda names: len(names[0]))
    choose(names)  # says what is wrong
    return names, sign


def _json_lines(name: str, file: Any, choose: Choose) -> Iterator[Row | ImageError]:
    return _objects(name, map(parsed, filter(str.strip, _text(file, newline="\n"))), choose)


def _json(name: str, file: Any, choose: Choose) -> Iterator[Row | ImageError]:
    """A list of objects; or an object with such a list called "images", as COCO's are."""
    text = _text(file, newline="\n").read()
    content = parsed(text)
    if isinstance(content, dict):
        content = content.get("images")
    if not isinstance(content, list):
        raise CaptionerError(f"{name}: is no list of JSON objects, nor COCO's; or it is cut off.")
    return _objects(name, content, choose)


def _objects(name: str, rows: Iterable[Any], choose: Choose) -> Iterator[Row | ImageError]:
    chosen = False
    for row in rows:
        if not isinstance(row, dict):
            yield ImageError(name, "is no JSON object")
            continue
        if not chosen:
            choose(row, all_there=False)
            chosen = True
        yield row


def _parquet(name: str, file: Any, choose: Choose) -> Iterator[Row | ImageError]:
    module = parquet()
    try:
        table = module.ParquetFile(file, buffer_size=1 << 20)
    except Exception as error:  # pyarrow has a family of errors, and the file system its own
        raise CaptionerError(f"{name}: is no Parquet file, or cut off ({error}).") from None
    chosen = choose(table.schema_arrow.names)
    try:
        for batch in table.iter_batches(batch_size=16, columns=chosen):
            yield from batch.to_pylist()
    except Exception as error:
        yield ImageError(name, f"is damaged ({error})")


def _arrow(name: str, file: Any, choose: Choose) -> Iterator[Row | ImageError]:
    """Hugging Face's are streams, Feather's are files."""
    parquet()
    import pyarrow

    try:
        try:
            reader = pyarrow.ipc.open_file(file)
            batches = map(reader.get_batch, range(reader.num_record_batches))
        except pyarrow.ArrowInvalid:
            file.seek(0)
            reader = pyarrow.ipc.open_stream(file)
            batches = iter(reader)
    except Exception as error:
        raise CaptionerError(f"{name}: is no Arrow file, or cut off ({error}).") from None
    chosen = choose(reader.schema.names)
    try:
        for batch in batches:
            for start in range(0, batch.num_rows, 16):
                yield from batch.select(chosen).slice(start, 16).to_pylist()
    except Exception as error:
        yield ImageError(name, f"is damaged ({error})")
