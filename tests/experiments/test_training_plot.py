"""Logs read as the trainer writes them, drawn, and what is no log refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner.errors import CaptionerError
from captioner.training.log import FIELDS
from experiments.plot import Curve, draw, read_log


def write_log(file: Path, column: str, steps: int, scores: dict[int, dict[str, float]]) -> None:
    """A log with falling values in `column`, and validations after some steps."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as out:
        table = csv.DictWriter(out, FIELDS)
        table.writeheader()
        for step in range(1, steps + 1):
            table.writerow({"step": step, "loss": 9.0, column: 5 / step, "rate": 1e-3})
            if step in scores:
                mean = sum(scores[step].values()) / len(scores[step])
                table.writerow({"step": step, "cider": mean, "val": json.dumps(scores[step])})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "first" / "log.csv"
    scores = {20: {"coco": 0.5, "flickr8k": 0.3}, 40: {"coco": 0.7, "flickr8k": 0.4}}
    write_log(file, "nll", 40, scores)
    return file


def test_a_log_is_read_column_by_column(log: Path) -> None:
    run = read_log(log)
    assert run.name == "first"
    assert run.training["nll"].steps == list(range(1, 41))
    assert run.training["nll"].values == [5 / step for step in range(1, 41)]
    assert run.cider.keys() == {"", "coco", "flickr8k"}
    assert run.cider["coco"].values == [0.5, 0.7]
    assert run.cider[""].steps == [20, 40]
    assert run.cider[""].values == pytest.approx([0.4, 0.55])


def test_smoothing_is_the_mean_of_the_last_steps() -> None:
    values = np.random.default_rng(0).random(60).tolist()
    expected = [np.mean(values[max(0, i - 6) : i + 1]) for i in range(60)]
    assert Curve(list(range(60)), values).smoothed(7) == pytest.approx(expected)


def test_the_picture_shows_one_panel_a_measure(log: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs matplotlib, absent here")
    reward = tmp_path / "second" / "log.csv"
    write_log(reward, "reward", 30, {30: {"coco": 0.8}})
    words = tmp_path / "third" / "log.csv"
    write_log(words, "attributes", 30, {})
    heights = []
    for number, logs in enumerate(([words], [log], [words, log, reward])):
        file = tmp_path / f"{number}.png"
        draw([read_log(one) for one in logs], file)
        with Image.open(file) as picture:
            heights.append(picture.height)
            assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20  # not blank
    assert heights[1] / heights[0] == pytest.approx(2, abs=0.02)  # with CIDEr
    assert heights[2] / heights[0] == pytest.approx(4, abs=0.02)  # three measures and CIDEr
    assert not list(tmp_path.glob("*.partial*"))


def test_an_svg_names_its_curves(log: Path, tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="drawing needs matplotlib, absent here")
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        draw([read_log(log)], tmp_path / "curves.svg")
    svg = (tmp_path / "curves.svg").read_text()
    for label in ("first, mean", "first, coco", "first, flickr8k", "nats a word", "CIDEr on val"):
        assert label in svg


def test_a_picture_that_cannot_be_written(log: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs matplotlib, absent here")
    for file in (tmp_path / "nowhere" / "a.png", tmp_path / "a.docx"):
        with pytest.raises(CaptionerError, match="cannot be written"):
            draw([read_log(log)], file)
        assert not file.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no step of the run is in it yet"),
        (",".join(FIELDS) + "\n", "no step of the run is in it yet"),
        ("step,loss\none,two\n", "is no log.csv"),
        ("epoch,loss\n1,2\n", "is no log.csv"),
        ("step,cider,val\n1,0.5,{broken\n", "is no log.csv"),
    ],
)
def test_what_is_no_log_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "log.csv").write_text(content)
    with pytest.raises(CaptionerError, match=message):
        read_log(tmp_path / "log.csv")


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match=r"log\.csv: cannot be read \(No such file"):
        read_log(tmp_path / "log.csv")
