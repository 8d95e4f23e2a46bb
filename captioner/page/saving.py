"""The captions of many photos as files to take home."""

from __future__ import annotations

import csv
import io
import json
import struct
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from captioner.batch.rows import defused, defused_path, to_json
from captioner.errors import CaptionerError
from captioner.files import free_name

Row = dict[str, Any]
FIELDS = ("path", "caption", "score", "error")


@dataclass(frozen=True)
class File:
    """What the browser saves: `kind` is its media type."""

    name: str
    kind: str
    content: bytes


def save_album(request: Row) -> File:
    """{"format", "rows"} → a file of the (edited) captions."""
    try:
        name, kind, write = FORMATS[request["format"]]
        content = write([dict(row) for row in request["rows"]])
    except (KeyError, TypeError, ValueError, struct.error) as error:  # the last: names too long
        raise CaptionerError("These captions cannot be saved: reload the page.") from error
    return File(name, kind, content)


def as_csv(rows: list[Row]) -> bytes:
    """A line a photo, in UTF-8 with the mark by which spreadsheets know it."""
    text = io.StringIO()
    table = csv.DictWriter(text, FIELDS, restval="", extrasaction="ignore")
    table.writeheader()
    table.writerows({**row, **_defused(row)} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _defused(row: Row) -> Row:
    """What of the row is text, as the command writes it: to a spreadsheet it is no formula."""
    texts = {field: defused(text) for field, text in row.items() if isinstance(text, str)}
    return texts | {"path": defused_path(str(row["path"]))}


def as_json_list(rows: list[Row]) -> bytes:
    """All rows as one JSON list."""
    kept = [{key: row[key] for key in FIELDS if row.get(key) not in (None, "")} for row in rows]
    return (json.dumps(kept, ensure_ascii=False, indent=1) + "\n").encode()


def as_texts(rows: list[Row]) -> bytes:
    """A ZIP with a text file beside each photo's name, in its folder, as caption data sets have
    them."""
    file = io.BytesIO()
    taken: Counter[str] = Counter()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            if row.get("caption"):
                archive.writestr(_text_name(str(row["path"]), taken), f"{row['caption']}\n")
    return file.getvalue()


def _text_name(path: str, taken: Counter[str]) -> str:
    """`a/dog.jpg` becomes `a/dog.txt`, a second one `a/dog-2.txt`; no path leads out of the ZIP."""
    inside = [
        part
        for part in PurePosixPath(path.replace("\\", "/")).parts
        if part not in ("/", ".", "..")
    ]
    stem = str(PurePosixPath(*inside or ["photo"]).with_suffix(""))
    return free_name(stem, ".txt", taken)


def as_teaching(rows: list[Row]) -> bytes:
    """The captions that a person wrote or corrected, a JSON object a line: path and caption."""
    kept = (row for row in rows if row.get("edited") and row.get("caption"))
    lines = (to_json({"path": row["path"], "caption": row["caption"]}) for row in kept)
    return "".join(lines).encode()


FORMATS: dict[str, tuple[str, str, Callable[[list[Row]], bytes]]] = {
    "csv": ("captions.csv", "text/csv", as_csv),
    "json": ("captions.json", "application/json", as_json_list),
    "text": ("captions.zip", "application/zip", as_texts),
    "teaching": ("teaching.jsonl", "application/jsonl", as_teaching),
}
