"""The formats of an output file of rows, by name and by how a file's name ends."""

from __future__ import annotations

from captioner.batch.parquet import Parquet
from captioner.batch.rows import Csv, Json, JsonLines, Lines, Text, Tsv

FORMATS: dict[str, type[Lines]] = {
    "text": Text,
    "jsonl": JsonLines,
    "json": Json,
    "csv": Csv,
    "tsv": Tsv,
    "parquet": Parquet,
}
"""Formats of rows; COCO's, which takes more than rows, is in `coco.py`."""

ENDINGS = {
    "": "text",
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
"""What a file is whose name ends so, where no format is named."""
