"""The command `captioner`: one function a command, its heavy imports inside it."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from captioner import __version__
from captioner.errors import CaptionerError

# Commands that live in other rooms: their module is imported when one of them is asked for, so
# that `captioner --help` stays quick. The function has the command's name.
ELSEWHERE = {
    "evaluate": ("captioner.evaluation.command", "Score captions against what people wrote."),
    "train": ("captioner.training.command", "Train a model from a recipe in a file."),
}


class Commands(TyperGroup):
    """The group of commands; brings one from elsewhere in once it is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in ELSEWHERE:
            name = args[0]
            module, _ = ELSEWHERE[name]
            single = typer.Typer(rich_markup_mode=None, add_completion=False)
            single.command(name)(getattr(import_module(module), name))
            self.add_command(typer.main.get_command(single), name)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    help="Write a sentence about a photo, and show where the model looked for each word.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def captioner(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def caption(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Photos, and folders of photos.")
    ],
    format: Annotated[
        Literal["text", "jsonl"],
        typer.Option(help="text: path<TAB>caption; jsonl: one JSON object a line."),
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here, not to the terminal.")
    ] = None,
    beam: Annotated[
        int | None, typer.Option(min=1, help="Beams of the search: more is slower.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="The N best sentences of each photo.")] = 1,
    attention: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Put a picture here of where each word looked."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="A model's .safetensors file, not the built-in one.")
    ] = None,
    style: Annotated[
        str | None, typer.Option(help="The kind of sentence, one of the model's styles.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Photos taken at once.")] = 16,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
) -> None:
    """Caption photos: a line for each, in order.

    A photo that cannot be read is named on standard error, the others are still captioned, and
    the exit code at the end is 1.
    """
    from captioner.batch import sinks
    from captioner.batch.run import caption_photos
    from captioner.batch.sources import photos

    if beam is not None and top > beam:
        raise typer.BadParameter(f"--top {top} needs --beam {top} or more, and it is {beam}.")
    _refuse_picture_name(output)

    def load() -> Any:
        from captioner.captioner import load

        return load(model, device=device)

    sink = sinks.FORMATS[format]
    failures = sinks.Failures()
    with sinks.open_output(output, sink.encoding_errors) as stream:
        destinations: list[sinks.Sink] = [sink(stream), failures]
        if attention is not None:
            destinations.append(sinks.Attention(attention))
        results = caption_photos(load, photos(inputs), _options(beam, top, style), batch_size)
        for result in results:
            for destination in destinations:
                destination.write(result)
    if failures.count:
        raise typer.Exit(1)


def _options(beam: int | None, top: int, style: str | None) -> Any:
    from captioner.caption import Options

    default = Options()
    return replace(
        default,
        beam=max(default.beam, top) if beam is None else beam,
        alternatives=top - 1,
        style=default.style if style is None else style,
    )


def _refuse_picture_name(output: Path | None) -> None:
    """One slip of the hand, `-o photo.jpg`, must not cost the photo."""
    from captioner.images import IMAGE_SUFFIXES

    if output is not None and output.suffix.lower() in IMAGE_SUFFIXES:
        raise typer.BadParameter(
            f"--output {output} has a picture's name; the captions are text: "
            f"call it {output.with_suffix('.txt').name}, say."
        )


for _name, (_, _summary) in ELSEWHERE.items():  # their lines in `captioner --help`
    app.command(_name, help=_summary)(lambda: None)


def main() -> None:
    """Run the command line; what a user can mend ends in one sentence and exit code 1."""
    try:
        app(prog_name="captioner")
    except CaptionerError as error:
        print(f"captioner: {error}", file=sys.stderr)
        sys.exit(1)
