"""What the options that choose a row's columns come to. Wrong ones raise BadParameter."""

from __future__ import annotations

from pathlib import Path

import typer

from captioner.batch.columns import Columns
from captioner.batch.fields import FIELDS
from captioner.batch.formats import FORMATS
from captioner.cli.options import listed
from captioner.images import IMAGE_SUFFIXES

RANKED = ("rank", "score", "caption")  # of several sentences in plain text
METADATA = {"path": "file_name", "caption": "text"}  # as Hugging Face's ImageFolder has them


def chosen_fields(text: str | None) -> tuple[str, ...]:
    """The fields that --fields names, each once; none where it is not given."""
    names = tuple(map(str.strip, text.strip(", ").split(","))) if text is not None else ()
    for name in names:
        if name not in FIELDS:
            raise typer.BadParameter(
                f"--fields: there is no field {name!r}; choose from {', '.join(FIELDS)}."
            )
    return tuple(dict.fromkeys(names))


def row_columns(
    format: str,
    output: Path | None,
    fields: tuple[str, ...],
    rename: str | None,
    keep: str | None,
    sentences: int,
) -> Columns:
    """The columns that --fields, --rename and --keep ask for, where photos have so many sentences,
    and the output's name: `metadata.csv` is a data set's, whose paths start beside it."""
    renamed, folder = _renamed(rename), None
    if output is not None and output.name.lower() == f"metadata.{format}":
        fields, folder = fields or ("caption",), str(output.parent)
        renamed = METADATA | renamed
    fields = fields or _usual_fields(format, several=sentences > 1)
    return Columns(fields, listed(keep), renamed, folder)


def _renamed(text: str | None) -> dict[str, str]:
    """What --rename says."""
    renamed = {}
    for pair in listed(text):
        old, equals, new = map(str.strip, pair.partition("="))
        if not (old and equals and new):
            raise typer.BadParameter(f"--rename: {pair!r} is not OLD=NEW, such as caption=text.")
        renamed[old] = new
    return renamed


def _usual_fields(format: str, several: bool) -> tuple[str, ...]:
    """The fields of rows of one sentence, or of several, where none are asked for."""
    if format not in FORMATS:
        return ()
    if several and format == "text":
        return RANKED
    *others, last = FORMATS[format].default
    between = ("alternatives",) if several and format in ("json", "jsonl") else ()
    return (*others, *between, last)


def sidecar_extension(text: str | None) -> str:
    """What text sidecars end in."""
    extension = f".{(text or 'txt').removeprefix('.')}"
    if extension.lower() in IMAGE_SUFFIXES or "/" in extension:
        raise typer.BadParameter(f"--extension {text} is none for a text beside a photo.")
    return extension
