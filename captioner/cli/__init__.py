"""The command `captioner`: one function a command, its heavy imports inside it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

try:
    import typer
    from typer.core import TyperCommand, TyperGroup
except ModuleNotFoundError:  # installed without dependencies
    sys.exit("captioner: the command needs its dependencies; pip install . in the checkout")

from captioner import __version__
from captioner.cli import streams
from captioner.errors import CaptionerError, is_of_memory
from captioner.extras import missing

# Commands that live in other rooms: their module is imported when one of them is asked for, so
# that `captioner --help` stays quick. The function has the command's name.
ELSEWHERE = {
    "caption": ("captioner.batch.command", "Caption photos, from one to a folder of a million."),
    "alt": ("captioner.alt.command", "Find pictures without alt text in web pages, propose some."),
    "evaluate": ("captioner.evaluation.command", "Score captions against what people wrote."),
    "teach": ("captioner.teaching.command", "Teach a model the words of your own photos."),
    "train": ("captioner.training.command", "Train a model from a recipe in a file."),
    "export": ("captioner.export.command", "Write a model as ONNX or torch.export graphs."),
}

_NEEDED = 900 << 20
"""Bytes of address space below which libraries end the process as they are loaded, without a word
that Python could take up: measured, 600 MB do and 700 MB do not."""


class OneCommand(TyperCommand):
    """A command that says what a number may be, instead of what its checking library calls it, what
    to install where packages are missing, and what was kept where it was interrupted."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            if stop.args:  # what was kept, and how to go on
                streams.tell(str(stop))
            raise
        except ImportError as error:
            said = missing(error, self.name or "")
            if said is None:
                raise
            raise CaptionerError(said) from None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            cause: Any = error.__cause__
            if hasattr(cause, "errors"):  # pydantic's
                error.message = _not_that(**cause.errors()[0])
            raise


def _not_that(type: str, input: Any, ctx: Any = None, msg: str = "", **_: Any) -> str:
    """What a value must be instead, by pydantic's name for what is wrong with it."""
    if type in ("greater_than_equal", "less_than_equal"):
        limit = f"at least {ctx['ge']:g}" if "ge" in ctx else f"at most {ctx['le']:g}"
        return f"must be {limit}, not {input}."
    kinds = {"int_parsing": "a whole number", "float_parsing": "a number"}
    return (
        f"must be {kinds[type]}, not {input!r}."
        if type in kinds
        else msg.removeprefix("Value error, ")
    )


class Commands(TyperGroup):
    """The group of commands; brings one from elsewhere in once it is asked for."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in ELSEWHERE:
            name = args[0]
            if not {"-h", "--help"} & set(args):
                _check_memory()
            module, _ = ELSEWHERE[name]
            single = typer.Typer(rich_markup_mode=None, add_completion=False)
            single.command(name, cls=OneCommand)(getattr(import_module(module), name))
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


def _check_memory() -> None:
    """Raise CaptionerError where `ulimit -v` leaves less than that."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _NEEDED:
        raise CaptionerError(
            f"a limit (ulimit -v) leaves {limit >> 20} MB of memory, and {_NEEDED >> 20} MB are"
            " needed: raise it."
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


for _name, (_, _summary) in ELSEWHERE.items():  # their lines in `captioner --help`
    app.command(_name, help=_summary)(lambda: None)


def main() -> None:
    """Run the command line; what a user can mend ends in one sentence and exit code 1."""
    code: Any = 0
    with streams.secured():
        try:
            try:
                app(prog_name="captioner")
            except SystemExit as end:
                code = end.code
            streams.flush()
        except CaptionerError as error:
            code = _failed(str(error))
        except KeyboardInterrupt:
            code = 130
        except BrokenPipeError:
            code = 1
        except Exception as error:
            if not is_of_memory(error):
                raise
            code = _failed(
                "there is not enough memory for this; raise its limit (ulimit -v), close other"
                " programs, or take a smaller --batch-size."
            )
    sys.exit(code)


def _failed(reason: str) -> int:
    for line in reason.split("\n"):
        streams.tell(line)
    return 1
