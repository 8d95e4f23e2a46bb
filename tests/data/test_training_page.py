"""docs/training.md says what the recipes' fields, the commands and the scripts are now."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from captioner.training.command import train
from captioner.training.recipe import Recipe, read_recipe

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "training.md").read_text()


def table(section: str) -> dict[str, tuple[str, str]]:
    """The rows of a section's table: field → default, what it does."""
    body = PAGE.split(f"### `{section}`\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", body, re.MULTILINE)
    return {field: (default, meaning) for field, default, meaning in rows}


def choices(annotation: Any) -> Iterator[str]:
    """Every string that a Literal within the annotation allows."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for part in get_args(annotation):
            yield from choices(part)


def commands() -> list[list[str]]:
    """The command lines on the page, comments and line breaks taken out."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in blocks.splitlines() if line]


def trainings() -> list[list[str]]:
    return [line[line.index("train") + 1 :] for line in commands() if "train" in line]


@pytest.mark.parametrize("section", Recipe.model_fields)
def test_every_field_is_told_with_its_default(section: str) -> None:
    model = Recipe.model_fields[section].annotation
    assert isinstance(model, type) and issubclass(model, BaseModel)
    rows = table(section)
    assert list(rows) == list(model.model_fields)
    for name, field in model.model_fields.items():
        default, meaning = rows[name]
        if field.is_required():
            assert default == "required", name
        else:
            assert json.loads(default.strip("`")) == to_jsonable_python(field.default), name
        for choice in choices(field.annotation):
            assert f"`{choice}`" in meaning, f"{name}: {choice}"


def test_every_stage_is_told() -> None:
    objective = Recipe.model_fields["training"].annotation.model_fields["objective"]  # type: ignore[union-attr]
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.split("## The four stages")[1].split("##")[0], re.M)
    assert rows == list(get_args(objective.annotation))


@pytest.mark.parametrize("arguments", trainings(), ids=" ".join)
def test_every_training_command_has_a_valid_recipe(arguments: list[str]) -> None:
    options = inspect.signature(train).parameters
    pairs = [argument for argument in arguments if argument.startswith("--")]
    assert {option.removeprefix("--") for option in pairs} <= options.keys()
    files, changes = (
        [arguments[i + 1] for i, argument in enumerate(arguments) if argument == option]
        for option in ("--config", "--set")
    )
    assert files
    for file in files:
        read_recipe(REPOSITORY / file, changes)  # raises for a wrong field or value


STAGES = {
    "words": "words",
    "language": "language",
    "cross_entropy": "cross_entropy",
    "guidance": "cross_entropy",
    "self_critical": "self_critical",
}


def test_every_recipe_is_part_of_some_command() -> None:
    named = {argument for line in trainings() for argument in line if argument.endswith(".json")}
    named |= set(re.findall(r"configs/[\w/]+\.json", PAGE))
    recipes = (REPOSITORY / "configs").rglob("*.json")
    assert {file.relative_to(REPOSITORY).as_posix() for file in recipes} <= named
    assert all((REPOSITORY / name).is_file() for name in named)


@pytest.mark.parametrize("folder", ["", "gpu"])
def test_each_stage_starts_with_what_those_before_it_leave(folder: str) -> None:
    made: set[Path] = set()
    for name, objective in STAGES.items():
        file = REPOSITORY / "configs" / folder / f"{name}.json"
        if folder and name == "guidance":  # cross_entropy guides already
            continue
        training = read_recipe(file).training
        assert training.objective == objective
        assert set(training.start) <= made
        made |= {training.output / "last.safetensors", training.output / "best.safetensors"}


@pytest.mark.parametrize(
    "line", [line for line in commands() if line[2:3] and line[2].startswith("data.")], ids=" ".join
)
def test_every_script_takes_what_it_is_given(line: list[str]) -> None:
    module = importlib.import_module(line[2])
    parameters = inspect.signature(getattr(module, line[2].removeprefix("data."))).parameters
    given = [argument.removeprefix("--") for argument in line[3:] if argument.startswith("--")]
    assert {option.replace("-", "_") for option in given} <= parameters.keys()


@pytest.mark.parametrize("option", ["--limit", "--allow-missing", "--copy"])
def test_options_in_the_text_exist(option: str) -> None:
    assert f"`{option}" in PAGE or f"{option}:" in PAGE
    scripts = [importlib.import_module(f"data.{name}") for name in ("prepare_coco", "from_folder")]
    functions = (scripts[0].prepare_coco, scripts[1].from_folder)
    names = [name for function in functions for name in inspect.signature(function).parameters]
    assert option.removeprefix("--").replace("-", "_") in names


def test_every_picture_and_file_on_the_page_exists() -> None:
    assert (REPOSITORY / "docs" / "training.png").is_file()
    assert re.findall(r"!\[.*?\]\((.*?)\)", PAGE) == ["training.png"]
