"""The command `captioner teach`: your photos and captions in, a model of your own out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def teach(
    photos: Annotated[
        list[str],
        typer.Argument(
            metavar="PHOTOS...",
            help="Folders, archives, photos, and files that list captions (CSV, JSON, Parquet).",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The model's file to make, .safetensors.")
    ],
    model: Annotated[
        Path | None, typer.Option(help="A model to begin with, not the built-in one.")
    ] = None,
    style: Annotated[
        str, typer.Option(help="What the new kind of sentence is called beside the built-in ones.")
    ] = "mine",
    minimum: Annotated[
        int, typer.Option(min=1, help="How often a new word must occur to be learnt.")
    ] = 2,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Learn no longer than this.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws what is held out.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the lesson that was ended early.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Lose a file of that name.")
    ] = False,
) -> None:
    """Teach a model the words of your photos, from captions that you have written.

    Captions lie beside the photos (photo.txt, photo.caption, XMP), in them, or in a list. A part of
    the photos is held out, and tells at the end whether it helped (docs/teach.md).
    """
    from tempfile import TemporaryDirectory

    from captioner import checkpoint
    from captioner.cli.streams import tell
    from captioner.teaching.before_after import SHOWN, write_before_after
    from captioner.teaching.lesson import Lesson
    from captioner.teaching.pairs import read_pairs
    from captioner.teaching.run import check_output, save, teach_model

    base = model or checkpoint.EMBEDDED
    start, lesson = checkpoint.load(base), Lesson(minutes=minutes, seed=seed)
    check_output(output, base, overwrite or resume)
    with TemporaryDirectory() as room:
        pairs = read_pairs(photos, Path(room), tell)
        taught = teach_model(
            start, pairs, style, minimum, lesson, tell, output=output, resume=resume
        )
        if taught.learnt.stopped:
            tell("stopped; the best so far is kept, and --resume goes on")
        save(taught.model, output, base, over=not taught.learnt.stopped)
        page = write_before_after(taught.verdict, output)
    for row in taught.verdict.rows[:SHOWN]:
        typer.echo(f"{row.pair.name}\n  yours:  {row.pair.captions[0]}")
        typer.echo(f"  before: {row.before}\n  after:  {row.after}")
    typer.echo("\n".join(taught.verdict.table()))
    typer.echo(taught.verdict.sentence())
    typer.echo(f"{page}: the same with the photos")
    typer.echo(f"{output}: the taught captioner; use it with --model {output}")
