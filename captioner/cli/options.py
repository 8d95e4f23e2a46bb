"""Options that several commands share: what they are called, may be and mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from captioner.assets import EMBEDDED
from captioner.engines.names import ENGINES, Engine
from captioner.errors import CaptionerError
from captioner.options import ABOUT, Options, about

if TYPE_CHECKING:
    from captioner.captioner import Captioner

_LONGEST_HEADER = 100_000_000  # bytes, by the format's own rule


def vocabulary(model: Path | None, part: str) -> tuple[str, ...]:
    """The "styles" or the "words" of the model in that file, or of the built-in one, without
    loading it; none where the file has no such notes: loading it says what is wrong."""
    with (
        suppress(OSError, ValueError, KeyError, TypeError, RecursionError),
        open(EMBEDDED if model is None else model, "rb") as file,
    ):
        length = int.from_bytes(file.read(8), "little")  # of the header, as safetensors has it
        notes = json.loads(file.read(min(length, _LONGEST_HEADER)))["__metadata__"]
        return tuple(json.loads(notes["vocabulary"])[part])
    return ()


def _number(name: str, metavar: str, help: str = "") -> Any:
    """The option of that name of `Options`, with its limits and its help."""
    what = about(name)
    kind = type(what.default)
    # the smallest float above its least is not for people to read: Options says it
    least = None if what.above_least else kind(what.least)
    most = kind(what.most) if what.most < 10**6 else None
    return typer.Option(metavar=metavar, min=least, max=most, help=help or what.help)


def _words(name: str) -> Any:
    return typer.Option(metavar="WORD", help=f"{about(name).help.rstrip('.')}; or several: a,b.")


ModelOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A model's .safetensors file, not the built-in one."),
]
StyleOption = Annotated[
    str | None,
    typer.Option(
        metavar="STYLE",
        help="The kind of sentence; the built-in model's:"
        f" {', '.join(vocabulary(None, 'styles'))}.",
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option(metavar="DEVICE", help="cpu, cuda or mps; a GPU where there is one, if not said."),
]
RuntimeOption = Annotated[
    Engine | None,
    typer.Option(
        metavar="NAME",
        help=f"What computes: {', '.join(ENGINES)}; the quickest that is there, if not said.",
    ),
]
BatchSizeOption = Annotated[int, typer.Option(metavar="N", min=1, help="Photos taken at once.")]
BeamOption = Annotated[int | None, _number("beam", "N")]
LengthPenaltyOption = Annotated[float | None, _number("length_penalty", "X")]
ConsensusOption = Annotated[
    bool | None, typer.Option("--consensus/--no-consensus", help=about("consensus").help)
]
MinWordsOption = Annotated[int | None, _number("min_words", "N")]
MaxWordsOption = Annotated[int | None, _number("max_words", "N")]
PrefixOption = Annotated[str | None, typer.Option(metavar="TEXT", help=about("prefix").help)]
IncludeOption = Annotated[list[str] | None, _words("include")]
AvoidOption = Annotated[list[str] | None, _words("avoid")]
GroupsOption = Annotated[
    int | None, _number("groups", "N", "Groups of beams that keep apart, for a --top that differs.")
]
TemperatureOption = Annotated[float | None, _number("temperature", "X")]
TopKOption = Annotated[int | None, _number("top_k", "N")]
TopPOption = Annotated[float | None, _number("top_p", "X")]
SeedOption = Annotated[int | None, _number("seed", "N")]
BeforeOption = Annotated[
    str, typer.Option(metavar="TEXT", help="Text pasted before each sentence, as it is.")
]
AfterOption = Annotated[
    str, typer.Option(metavar="TEXT", help="Text pasted after each sentence, as it is.")
]


def _retired(instead: str) -> Callable[[str], str]:
    def refuse(text: str) -> str:
        raise typer.BadParameter(f"is now called {instead}: write {instead} {text!r}.")

    return refuse


# Until the version after the next: names that meant something else.
OldStartOption = Annotated[
    str | None, typer.Option("--start", hidden=True, parser=_retired("--prefix"))
]
OldSuffixOption = Annotated[
    str | None, typer.Option("--suffix", hidden=True, parser=_retired("--after"))
]

_OF_DRAWING = ("top_k", "top_p", "seed")
_OF_BEAMS = ("beam", "length_penalty", "include", "groups")


def listed(*texts: str | None) -> tuple[str, ...]:
    """An option given several times, or once with commas, or both: one text each."""
    parts = chain.from_iterable(text.split(",") for text in texts if text)
    return tuple(filter(None, map(str.strip, parts)))


def options(parameters: Mapping[str, Any], top: int = 1) -> Options:
    """`Options` of what was given on the command line: the default where that is None.

    `parameters` are all of a command's by name; `top` is how many sentences a photo gets. Raises
    BadParameter, naming options as they are written, also for words and styles that the model does
    not have.
    """
    model = parameters["model"]
    given: dict[str, Any] = {name: parameters.get(name) for name in ABOUT}
    given = {name: value for name, value in given.items() if value not in (None, [], ())}
    given |= {name: listed(*given[name]) for name in ("include", "avoid") if name in given}
    drawn = bool(given.get("temperature"))
    for name in given:
        if name in _OF_DRAWING and not drawn:
            raise typer.BadParameter(f"{flag(name)} is for drawing sentences: add --temperature 1.")
        if name in _OF_BEAMS and drawn:
            raise typer.BadParameter(f"--temperature draws, without beams: leave out {flag(name)}.")
    if top > given.get("beam", top):
        raise typer.BadParameter(f"--top {top} needs --beam {top} or more.")
    style, styles = given.get("style"), vocabulary(model, "styles")
    if style and styles and style not in styles:
        raise typer.BadParameter(f"--style {style}: the model's styles are {', '.join(styles)}.")
    _check_prefix(given.get("prefix", ""))
    check_words("--prefix", [given.get("prefix", "")], model)
    check_words("--include", given.get("include", ()), model)
    given.setdefault("beam", max(Options.beam, top))
    try:
        return Options(alternatives=top - 1, **given)
    except CaptionerError as error:
        raise typer.BadParameter(f"{_flagged(str(error))}.") from None


def check_words(option: str, texts: Iterable[str], model: Path | None) -> None:
    """Raise BadParameter for a word of the option that the model in that file does not know."""
    from captioner.vocabulary import Vocabulary

    words = vocabulary(model, "words")
    known = Vocabulary(words, ())
    for word in chain.from_iterable(map(known.tokenize, filter(None, texts))):
        if words and word not in known.ids:
            raise typer.BadParameter(
                f"{option}: the model does not know the word {word!r}; choose another."
            )


def _check_prefix(prefix: str) -> None:
    """Refuse what --prefix used to mean, text pasted before the sentence."""
    if prefix != prefix.strip() or re.search(r"[^\w\s,'’-]|_", prefix) or prefix.endswith(","):
        raise typer.BadParameter(
            "--prefix starts the sentence itself, with words of the model's; text pasted before"
            f" the sentence is --before {prefix!r}."
        )


def flag(name: str) -> str:
    """How an option of that name is written."""
    return f"--{name.replace('_', '-')}"


def _flagged(sentence: str) -> str:
    """The sentence with options as they are written on the command line."""
    names = "|".join(name for name in ABOUT if name not in ("choices", "style"))
    return re.sub(rf"\b({names})\b", lambda found: flag(found[0]), sentence)


def load_model(model: Path | None, device: str | None, runtime: str | None = None) -> Captioner:
    """The captioner in that file, or the built-in one."""
    from captioner.captioner import load

    return load(model, engine=runtime, device=device)
