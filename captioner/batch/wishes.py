"""Options of `captioner caption`: what sentences may hold, and how they are found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from captioner.caption import Options

StartOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Each sentence starts with these words.")
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD", help="A word that must appear, or several: a,b."),
]
AvoidOption = Annotated[
    list[str] | None,
    typer.Option(metavar="WORD", help="A word that must not appear, or several: a,b."),
]
GroupsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", min=1, help="Groups of beams that keep apart, for a --top that differs."
    ),
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(metavar="X", min=0, help="Above 0: sentences are drawn; 1 as the model has them."),
]
TopKOption = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Draw from the N likeliest words alone.")
]
TopPOption = Annotated[
    float | None,
    typer.Option(metavar="X", min=0, max=1, help="Draw from this share of the probability alone."),
]
SeedOption = Annotated[int | None, typer.Option(metavar="N", min=0, help="Of the drawing.")]

_OF_DRAWING = ("top_k", "top_p", "seed")
_OF_BEAMS = ("beam", "include", "groups")


def listed(texts: list[str] | None) -> list[str] | None:
    """An option given several times, or once with commas, or both: one text each."""
    if texts is None:
        return None
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def wished(options: Options, start: str | None, **wishes: Any) -> Options:
    """The options, with those wishes that are not None. Raises BadParameter."""
    given = {name: wish for name, wish in wishes.items() if wish is not None}
    drawn = bool(given.get("temperature"))
    for name in given:
        said = f"--{name.replace('_', '-')}"
        if name in _OF_DRAWING and not drawn:
            raise typer.BadParameter(f"{said} is for drawing sentences: add --temperature 1.")
        if name in _OF_BEAMS and drawn:
            raise typer.BadParameter(f"--temperature draws, without beams: leave out {said}.")
    if given.get("include") and given.get("groups", 1) > 1:
        raise typer.BadParameter("--include and --groups cannot be searched together.")
    if given.get("top_p") == 0:
        raise typer.BadParameter("--top-p must be above 0.")
    for name in ("include", "avoid"):
        if name in given:
            given[name] = tuple(given[name])
    return replace(options, prefix=start or "", **given)
