"""Which files a command may write: none that it reads, and none that is there already, unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import typer

from captioner.files import is_plain, is_taken


def check_inputs(inputs: Iterable[str], output: Path, option: str = "--output") -> None:
    """Raise BadParameter where the output would take the place of a table, a list, a photo."""
    from captioner.datasets.photos.sources import named

    if not os.path.isfile(output):
        return
    for name in named(inputs, output.name):
        with suppress(OSError, ValueError):
            if os.path.samefile(name, output):
                raise typer.BadParameter(
                    f"{option} {output} is also an input ({name}); write to another file."
                )


def check_outputs(outputs: Mapping[str, Path], inputs: Iterable[str], overwrite: bool) -> None:
    """Raise BadParameter for outputs, by their options, that would take the place of an input, of
    one another, or, unless `overwrite`, of what is there."""
    inputs, written = list(inputs), dict[str, str]()
    for option, output in outputs.items():
        check_inputs(inputs, output, option)
        if os.path.isdir(output):
            raise typer.BadParameter(f"{option} {output} is a folder; name a file in it.")
        if not overwrite and is_taken(output):
            raise typer.BadParameter(
                f"{option} {output} is there already; write to another file, or replace it with"
                " --overwrite."
            )
        other = written.setdefault(os.path.realpath(output), option)
        if other != option and is_plain(output):
            raise typer.BadParameter(
                f"{option} {output} is also where {other} writes; write to another file."
            )
