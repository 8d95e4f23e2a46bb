"""`captioner train`: reads a recipe, trains its stage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Option(help="The recipe: a JSON file, such as in configs/.")],
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="Change a field of the recipe."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run stopped, if it left a state.")
    ] = False,
) -> None:
    """Train a model from a recipe in a file."""
    from captioner.config import read_recipe
    from captioner.training.loop import train as run

    recipe = read_recipe(config, set or [])
    best = run(recipe, resume)
    if os.environ.get("RANK", "0") == "0":  # torchrun's number of this process
        typer.echo(f"{best}: the trained captioner; use it with --model {best}")
