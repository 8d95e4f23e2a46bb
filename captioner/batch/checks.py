"""What `captioner caption` refuses before anything is read: each function raises BadParameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from captioner.cli.options import flag
from captioner.files import is_plain

if TYPE_CHECKING:
    from captioner.batch.columns import Columns
    from captioner.batch.job import Job

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # of a path the second / is gone
_OTHERS = (".xlsx", ".xls", ".ods", ".numbers", ".docx", ".doc", ".pdf", ".html", ".xml", ".db")
_IN_TABLES = ("text", "jsonl", "json", "csv", "tsv", "parquet")
_OF_FORMATS = {
    "annotations": ("coco",),
    "append": ("sidecar",),
    "excel": ("csv",),
    "extension": ("sidecar",),
    "fields": _IN_TABLES,
    "keep": _IN_TABLES,
    "rename": ("jsonl", "json", "csv", "tsv", "parquet"),
    "sidecar_name": ("xmp",),
}
OF_RAY = ("address", "min_workers", "max_workers", "part_size")
ROWS = ("jsonl", "csv", "parquet")  # formats of one row a photo, named as their files end


def check_ray(job: Job, min_workers: int | None, max_workers: int | None) -> None:
    """What parts in a folder, written by workers, cannot be."""
    if job.format not in ROWS:
        raise typer.BadParameter(f"--engine ray writes {', '.join(ROWS)}, not {job.format}.")
    if job.output is None:
        raise typer.BadParameter("--engine ray writes a folder of parts: name it with --output.")
    if job.keep or job.attention or job.fail_fast:
        raise typer.BadParameter(
            "--engine ray takes neither --skip-existing nor --attention nor --fail-fast."
        )
    if min_workers and max_workers and min_workers > max_workers:
        raise typer.BadParameter(
            f"--min-workers {min_workers} is more than --max-workers {max_workers}."
        )


def format_of(output: Path | None) -> str:
    """The format that an output's name says."""
    from captioner.batch.formats import ENDINGS

    ending = output.suffix.lower() if output and is_plain(output) else ""
    _check_ending(output)
    if ending not in ENDINGS:
        raise typer.BadParameter(
            f"--output {output} ends in no format's ending ({', '.join(filter(None, ENDINGS))}):"
            " say what it is to hold with --format."
        )
    return ENDINGS[ending]


def check_output(output: Path | None, format: str, resume: bool, keep: bool) -> None:
    """An output that the format or --resume needs and has not, or that is no place for captions."""
    from captioner.batch.places import KINDS
    from captioner.images import IMAGE_SUFFIXES

    if output is None:
        if format in ("parquet", "coco"):
            raise typer.BadParameter(f"--format {format} needs a file: --output FILE.")
        if resume and format not in KINDS:
            raise typer.BadParameter("--resume needs the --output of the run to continue.")
        if keep and format not in KINDS:
            raise typer.BadParameter("--skip-existing needs the --output that has the captions.")
    elif format == "embed":
        raise typer.BadParameter("--format embed writes into the photos; leave out --output.")
    elif _ADDRESS.match(str(output)):
        raise typer.BadParameter(
            f"--output {output} is an address; write to this machine's disk, and copy it there."
        )
    elif output.suffix.lower() in IMAGE_SUFFIXES:  # a slip of the hand must not cost a photo
        raise typer.BadParameter(
            f"--output {output} has a picture's name; the captions are text: "
            f"call it {output.with_suffix('.txt').name}, say."
        )
    _check_ending(output)


def _check_ending(output: Path | None) -> None:
    if output is not None and output.suffix.lower() in _OTHERS:
        raise typer.BadParameter(
            f"--output {output}: {output.suffix} files are not written; --format csv --excel makes"
            f" a table for spreadsheets: call it {output.with_suffix('.csv').name}."
        )


def check_options_of(format: str, on_ray: bool, given: Mapping[str, Any]) -> None:
    """Options that only some formats have, or a cluster alone: `given` are all of the command's, by
    name."""
    for name in OF_RAY:
        if given[name] is not None and not on_ray:
            raise typer.BadParameter(f"{flag(name)} is for --engine ray.")
    for name, formats in _OF_FORMATS.items():
        option = flag(name)
        if given[name] and format not in formats:
            if formats == _IN_TABLES:
                reason = f"--format {format} has fields of its own; leave out {option}."
            else:
                reason = f"{option} is for --format {', '.join(formats)}, not {format}."
            raise typer.BadParameter(reason)


def check_columns(columns: Columns) -> None:
    """Two columns of one name."""
    heads = columns.heads
    for head in heads:
        if heads.count(head) > 1:
            raise typer.BadParameter(
                f"two columns would be called {head}; --rename {head}=… gives one another name."
            )
    for name in columns.renamed:
        if name not in (*columns.own, *columns.kept):
            there = ", ".join((*columns.own, *columns.kept))
            raise typer.BadParameter(
                f"--rename: there is no column {name!r} here; they are {there}."
            )


def check_kept(fields: tuple[str, ...], format: str) -> None:
    """Where rows of those fields do not tell what has a caption."""
    from captioner.batch.fields import OF_CAPTIONS

    if format == "text":
        raise typer.BadParameter(
            "--skip-existing: a file of --format text does not say which fields it has; leave out"
            " --fields, or take --format csv."
        )
    if OF_CAPTIONS.keys().isdisjoint(fields):
        raise typer.BadParameter(
            "--skip-existing goes by the captions in the file; add caption to --fields."
        )
