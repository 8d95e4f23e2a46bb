"""docs/export.md describes the graphs as they are, and its example writes a caption."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from captioner import load, rules
from captioner.export.graphs import graphs
from captioner.model.model import Model
from tests.export.kinds import KINDS, model_of_kind

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (in|out) \| `(\w+)` \| (\w+) \| ([^|]+) \|", re.MULTILINE)
Documented = dict[tuple[str, str], tuple[str, list[str]]]


def table(graph: str) -> Documented:
    """(in or out, name) → type and letters of the shape, as the page says."""
    part = PAGE.split(f"\n**{graph}**\n")[1].split("\n\n**")[0]
    return {(way, name): (type, shape.split(", ")) for way, name, type, shape in ROW.findall(part)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables(kind: str) -> None:
    model = model_of_kind(**KINDS[kind])
    config, vocabulary = model.config.decoder, len(model.vocabulary)
    lengths: dict[str, int | str] = {
        "B": "photos", "K": "beams", "1": 1, "3": 3, "S": model.config.encoder.pixels, "L": 4,
        "E": config.size, "M": 3, "D": config.layers, "H": config.hidden, "V": vocabulary,
        "Y": config.taught,
    }  # fmt: skip
    for graph in graphs(model):
        documented, described = table(graph.name), graph.describe()
        found = []
        for way, told in (("in", "inputs"), ("out", "outputs")):
            for tensor in described[told]:
                type, letters = documented[way, tensor["name"]]
                assert tensor["type"] == type
                assert list(tensor["shape"]) == [lengths[letter] for letter in letters]
                found.append((way, tensor["name"]))
        assert found == [row for row in documented if row in found]  # in the same order


def test_nothing_is_documented_that_no_kind_has() -> None:
    made = [graph for kind in KINDS.values() for graph in graphs(model_of_kind(**kind))]
    for name in ("start", "step"):
        named = {
            (way, tensor)
            for graph in made
            if graph.name == name
            for way, tensors in (("in", graph.inputs), ("out", graph.outputs))
            for tensor in tensors
        }
        assert named == set(table(name))


@pytest.mark.parametrize("kind", ["attention", "context"])
def test_the_example_writes_the_greedy_caption(
    exported: Callable[[str, str], tuple[Model, Path]],
    pictures: list[Image.Image],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    _, folder = exported(kind, "onnx")
    # without the two rules that the example leaves out
    monkeypatch.setattr(rules, "BAD_LAST_WORDS", ())
    usual = rules.rules
    monkeypatch.setattr(rules, "rules", lambda words: replace(usual(words), no_repeat=0))
    captioner = load(folder, engine="onnxruntime")
    [example] = re.findall(r"```python\n(import json\n.*?)```", PAGE, re.DOTALL)
    pictures[1].save(tmp_path / "photo.png")
    command = [sys.executable, "-c", example, str(folder), str(tmp_path / "photo.png")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = captioner.caption(pictures[1], beam=1).words
    assert done.stdout.split() == list(words) and words
