"""The comparison of decoders: one command, a table, a picture, a log; nothing trained twice."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from captioner import CaptionerError, checkpoint
from experiments import family
from experiments.plot import Curve
from tests.training.toy import Album

COMMAND = family.typer.Typer(pretty_exceptions_enable=False)
COMMAND.command()(family.family)


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    return Album(tmp_path_factory.mktemp("album"))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(COMMAND, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_one_command_compares(album: Album, tmp_path: Path) -> None:
    recipe = album.write(tmp_path / "runs", val=album.val)
    settings = ["--set", "attributes.shown=0", "--set", "attributes.words=0"]
    names = ["--only", "context", "--only", "attention", "--only", "attention_read"]
    out = tmp_path / "docs"
    run(str(recipe), "--output", str(out), *names, *settings)
    lines = (out / "family.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "`context`", "`attention`", "`attention_read`",
    ]  # fmt: skip
    kinds = {
        name: checkpoint.load(tmp_path / "runs" / name / "last.safetensors").config.decoder
        for name in ("context", "attention", "attention_read")
    }
    assert [d.kind for d in kinds.values()] == ["context", "attention", "attention"]
    assert kinds["attention_read"].reading == "gru"
    with Image.open(out / "family.png") as picture:
        assert picture.width > 500
    before = (tmp_path / "runs" / "context" / "last.safetensors").stat().st_mtime_ns
    (out / "family.md").unlink()
    run(str(recipe), "--output", str(out), *names, *settings)
    assert (out / "family.md").read_text().splitlines() == lines
    assert (tmp_path / "runs" / "context" / "last.safetensors").stat().st_mtime_ns == before
    settings += ["--set", "training.max_steps=1"]
    with pytest.raises(CaptionerError, match=r"context: holds a run of another recipe; remove it"):
        run(str(recipe), "--output", str(out), *names, *settings)


def result(name: str, cider: list[float], seconds: float = 90) -> family.VariantResult:
    captions = ["A red square.", "A red square.", "A big blue wall.", "A wall."]
    curve = Curve(list(range(1, 41)), [4.0] * 20 + [2.0] * 20)
    return family.VariantResult(
        name, 1_234_567, 2_500_000, seconds, captions, np.array(cider), curve
    )


def test_the_table_says_what_was_measured() -> None:
    base, other = result("attention", [1.0, 0.0, 2.0, 1.0]), result("peek", [0.5, 0.0, 1.5, 0.0])
    styles = {"coco": np.array([0, 1]), "flickr8k": np.array([2, 3])}
    rows = [line.split(" | ") for line in family.table([base, other], styles).splitlines()]
    assert rows[2][1:3] == ["1.23 M", "2.5"] and rows[2][5] == "0"
    assert rows[2][3].startswith("0.500 (0.000 to 1.000)")
    assert rows[3][4].startswith("0.750 (0.000 to 1.500)")
    assert rows[3][5].startswith("-0.500 (-") and rows[3][6:8] == ["3.0", "75%"]


def test_the_log_holds_the_means(tmp_path: Path) -> None:
    family.write_log([result("peek", [0, 0, 0, 0])], tmp_path / "family.csv")
    with (tmp_path / "family.csv").open(newline="") as lines:
        assert list(csv.reader(lines)) == [
            ["decoder", "step", "nll"], ["peek", "20", "4.0000"], ["peek", "40", "2.0000"],
        ]  # fmt: skip


def test_what_cannot_be_compared(album: Album, tmp_path: Path) -> None:
    recipe = str(album.write(tmp_path / "runs"))
    with pytest.raises(CaptionerError, match="--only pek: there are context, feedback, peek, "):
        run(recipe, "--output", str(tmp_path), "--only", "pek")
    with pytest.raises(CaptionerError, match=r"data\.val is missing: nothing to compare"):
        run(recipe, "--output", str(tmp_path), "--only", "peek")
