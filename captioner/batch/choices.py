"""What the options that choose a row's columns come to. Wrong ones raise BadParameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from captioner.cli.options import listed

RANKED = ("rank", "score", "caption")  # of several sentences in plain text
METADATA = {"path": "file_name", "caption": "text"}  # as Hugging Face's ImageFolder has them


@dataclass(frozen=True)
class RowChoices:
    """The columns of a run's rows, as `Job` has them, and how many sentences a photo gets."""

    fields: tuple[str, ...] | None
    kept: tuple[str, ...]
    renamed: Mapping[str, str]
    folder: str | None
    sentences: int


def row_choices(
    format: str,
    output: Path | None,
    fields: str | None,
    rename: str | None,
    keep: str | None,
    top: int | None,
) -> RowChoices:
    """The columns that --fields, --rename, --keep and --top ask for, and the output's name:
    `metadata.csv` is a data set's, whose paths start beside it."""
    names, renamed, folder = _fields(fields), _renamed(rename), None
    sentences = top or (3 if names and "alternatives" in names else 1)
    if output is not None and output.name.lower() == f"metadata.{format}":
        names, folder = names or ("caption",), str(output.parent)
        renamed = METADATA | renamed
    if names is None and sentences > 1:
        names = _of_several(format)
    kept = tuple(listed([keep]) or ()) if keep else ()
    return RowChoices(names, kept, renamed, folder, sentences)


def _renamed(text: str | None) -> dict[str, str]:
    """What --rename says. Raises BadParameter."""
    renamed = {}
    for pair in listed([text]) or () if text else ():
        old, equals, new = map(str.strip, pair.partition("="))
        if not (old and equals and new):
            raise typer.BadParameter(f"--rename: {pair!r} is not OLD=NEW, such as caption=text.")
        renamed[old] = new
    return renamed


def _of_several(format: str) -> tuple[str, ...] | None:
    """The fields of rows of several sentences, where none are asked for."""
    from captioner.batch.formats import FORMATS

    if format == "text":
        return RANKED
    if format in ("json", "jsonl"):
        *others, error = FORMATS[format].default
        return (*others, "alternatives", error)
    return None


def sidecar_extension(text: str | None) -> str:
    """What text sidecars end in. Raises BadParameter."""
    from captioner.images import IMAGE_SUFFIXES

    extension = f".{(text or 'txt').removeprefix('.')}"
    if extension.lower() in IMAGE_SUFFIXES or "/" in extension:
        raise typer.BadParameter(f"--extension {text} is none for a text beside a photo.")
    return extension


def _fields(text: str | None) -> tuple[str, ...] | None:
    from captioner.batch.fields import FIELDS

    if text is None:
        return None
    names = tuple(map(str.strip, text.strip(", ").split(",")))
    for name in names:
        if name not in FIELDS:
            raise typer.BadParameter(
                f"--fields: there is no field {name!r}; choose from {', '.join(FIELDS)}."
            )
    return tuple(dict.fromkeys(names))
