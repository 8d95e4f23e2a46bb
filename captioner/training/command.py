"""`captioner train`: reads recipes, trains their stages one after the other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[
        list[Path],
        typer.Option(
            metavar="RECIPE",
            help="A JSON file, such as in configs/; several are run one after the other.",
        ),
    ],
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.FIELD=VALUE", help="Change a field of the recipes."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run stopped; finished stages stay.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Lose what an earlier run left in the same folder.")
    ] = False,
    graphs: Annotated[
        bool,
        typer.Option(
            "--graphs/--no-graphs", help="Write the graphs beside it, for the quick engines."
        ),
    ] = True,
) -> None:
    """Train a model from recipes in files, a stage each."""
    from captioner.cli.streams import tell
    from captioner.errors import CaptionerError
    from captioner.export.run import write_graphs
    from captioner.training.chain import train_chain
    from captioner.training.recipe import read_recipe

    recipes = [read_recipe(file, set or []) for file in config]
    best = train_chain(recipes, resume, overwrite)
    if os.environ.get("RANK", "0") == "0":  # torchrun's number of this process
        typer.echo(f"{best}: the trained captioner; use it with --model {best}")
        try:
            if graphs:
                write_graphs(best)
        except CaptionerError as error:
            tell(f"it runs with PyTorch alone, without graphs for other engines: {error}")
