"""Makes the pages of the documentation that the code itself tells: `python docs/generate.py`.

`commands.md` is what each command says to `--help`, `python.md` the docstrings of the public names.
With `--check` nothing is written, and the exit code is 1 where a page is not as the code has it.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

from griffe import Alias, Class, Function, Module, Object, load  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import captioner  # noqa: E402
from captioner import cli  # noqa: E402
from captioner.options import ABOUT  # noqa: E402

WIDTH = 100
OTHERS = ("evaluation.Context", "evaluation.Report", "evaluation.Scorer")
NOTE = "<!-- Made by docs/generate.py: change the code, then run `make docs`. -->"


def commands() -> str:
    """The page of the commands."""
    lines = ["# The commands", "", NOTE, "", "Exit codes: 0 where all went well, 1 where something"]
    lines[-1] += " could not be done, 2 for a wrong command line."
    for name in ("", *cli.ELSEWHERE):
        words = [name, "--help"] if name else ["--help"]
        lines += ["", f"## captioner {name}".rstrip(), "", "```text", _said(words).rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _said(words: list[str]) -> str:
    runner = CliRunner(env={"COLUMNS": str(WIDTH), "NO_COLOR": "1"})
    done = runner.invoke(cli.app, words, prog_name="captioner", terminal_width=WIDTH)
    if done.exit_code:
        raise SystemExit(f"captioner {' '.join(words)}: {done.output}")
    return done.output


def python() -> str:
    """The page of the public names of `captioner`, functions first, and of those they speak of."""
    package = load("captioner", search_paths=[DOCS.parent], allow_inspection=False)
    lines = ["# Captions from Python", "", NOTE, "", "```python", "import captioner", "```"]
    for name in [*sorted(captioner.__all__, key=lambda each: (not each.islower(), each)), *OTHERS]:
        lines += ["", *_described(_final(package[name]), f"captioner.{name}", "##")]
    return "\n".join(lines) + "\n"


def _final(found: Object | Alias) -> Object:
    return found.final_target if isinstance(found, Alias) else found


def _described(found: Object, name: str, heading: str) -> Iterator[str]:
    """A heading, how it is called, what its docstring says, and the same of its public parts."""
    yield f"{heading} {name}"
    if isinstance(found, Function):
        yield from ("", "```python", str(found.signature()), "```")
    if found.docstring:
        yield from ("", inspect.cleandoc(found.docstring.value))
    if isinstance(found, Module):
        for part in found.members.values():
            if isinstance(part, Function) and not part.name.startswith("_"):
                yield from ["", *_described(part, f"{name}.{part.name}", f"{heading}#")]
    if not isinstance(found, Class):
        return
    yield from ["", *_options()] if found.name == "Options" else _fields(found)
    for part in found.members.values():
        if isinstance(part, Function) and not part.name.startswith("_"):
            yield from ["", *_described(part, f"{found.name}.{part.name}", f"{heading}#")]


def _fields(found: Class) -> Iterator[str]:
    """A class's attributes with their types: a dataclass's fields, and properties."""
    named = [each for each in found.members.values() if each.is_attribute]
    public = [each for each in named if not each.name.startswith("_") and each.annotation]
    if public:
        yield from ("", "| attribute | type |", "|---|---|")
    for each in public:
        said = inspect.cleandoc(each.docstring.value) if each.docstring else ""
        kind = str(each.annotation).replace("|", "\\|")
        yield f"| `{each.name}` | `{kind}`{' ' + ' '.join(said.split()) if said else ''} |"


def _options() -> Iterator[str]:
    yield from ("| option | default | may be | what it does |", "|---|---|---|---|")
    for name, what in ABOUT.items():
        number = isinstance(what.default, int | float) and not isinstance(what.default, bool)
        limits = what.limits if number else f"`{type(what.default).__name__}`"
        yield f"| `{name}` | `{what.default!r}` | {limits} | {what.help} |"


PAGES: dict[str, Callable[[], str]] = {"commands.md": commands, "python.md": python}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a page is old")
    check = parser.parse_args().check
    old = 0
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if path.exists() and path.read_text() == text:
            continue
        old += 1
        print(f"{path}: {'is old; run make docs' if check else 'written'}")
        if not check:
            path.write_text(text)
    return 1 if check and old else 0


if __name__ == "__main__":
    sys.exit(main())
