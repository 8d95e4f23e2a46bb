"""`captioner export`: a whole folder or none, and never in the place of something else."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import captioner
from captioner import CaptionerError, checkpoint
from captioner.cli import app
from captioner.confidence import FIGURES, Confidence, Regression
from captioner.engines.graphs import has_graphs
from captioner.export import run
from captioner.extras import how_to_install
from captioner.model.model import Model
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    checkpoint.save(tiny_model(), file)
    return file


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files with nothing in them, in place of graphs."""

    def write(
        model: Model, folder: Path, int8: bool, notes: Mapping[str, str] | None
    ) -> dict[str, Path]:
        files = {graph: folder / f"captioner.{graph}.onnx" for graph in ("start", "step")}
        for file in files.values():
            file.write_text(f"int8 {int8}")
        return files

    monkeypatch.setattr(run, "_write_onnx", write)


def export(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def refused(*arguments: object) -> str:
    done = export(*arguments)
    assert isinstance(done.exception, CaptionerError)
    assert "\n" not in str(done.exception)
    return str(done.exception)


@pytest.mark.usefixtures("quick")
def test_a_folder_is_made_and_replaced_when_asked(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    done = export("--model", model, "--output", folder)
    assert done.exit_code == 0 and f"caption with --model {folder}" in done.stdout
    notes = json.loads((folder / "captioner.json").read_text())
    assert notes["graphs"]["start"]["file"] == "captioner.start.onnx"
    assert (folder / "captioner.step.onnx").read_text() == "int8 False"
    assert "is not empty; name another folder" in refused("--model", model, "-o", folder)
    done = export("--model", model, "-o", folder, "--overwrite", "--int8", "--format", "onnx")
    assert done.exit_code == 0 and (folder / "captioner.step.onnx").read_text() == "int8 True"
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


@pytest.mark.usefixtures("quick")
def test_what_is_no_export_stays(model: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("kept")
    said = refused("--model", model, "-o", tmp_path, "--overwrite")
    assert "holds what is no export (photo.jpg)" in said
    assert "is a file" in refused("--model", model, "-o", tmp_path / "photo.jpg", "--overwrite")
    assert (tmp_path / "photo.jpg").read_text() == "kept"


def test_a_package_that_is_missing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said in a sentence; nothing is left, and an older export is still there."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "captioner.export.onnx_files", raising=False)
    monkeypatch.delattr("captioner.export.onnx_files", raising=False)
    old = tmp_path / "old"
    old.mkdir()
    (old / "captioner.json").write_text(json.dumps({"old": True}))
    for arguments in (("-o", tmp_path / "new"), ("-o", old, "--overwrite")):
        said = refused("--model", model, *arguments)
        assert how_to_install("export") in said
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert json.loads((old / "captioner.json").read_text()) == {"old": True}


def test_wrong_usage(model: Path, tmp_path: Path) -> None:
    output = ["-o", tmp_path / "out"]
    wrong = (
        [*output, "--format", "torch", "--int8"],
        [*output, "--format", "tflite"],
        ["--int8"],
        ["--format", "torch"],
    )
    for arguments in wrong:
        assert export("--model", model, *arguments).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_an_export_is_as_sure_as_its_model(model: Path, tmp_path: Path) -> None:
    """The figures by which a sentence's confidence is told go along, so --min-confidence works."""
    ones = (1.0,) * len(FIGURES)
    sure = Confidence(Regression(ones, ones, ones, 0.5), Regression(ones, ones, ones, -0.5))
    file = tmp_path / "sure.safetensors"
    checkpoint.save(checkpoint.load(model), file, notes={"confidence": sure.write()})
    assert export("--model", file, "-o", tmp_path / "out").exit_code == 0
    assert captioner.load(tmp_path / "out").engine.notes.confidence == sure


def test_graphs_beside_a_checkpoint_are_of_that_checkpoint(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(model.read_bytes())
    assert not has_graphs(file)
    done = export("--model", file)
    assert done.exit_code == 0 and f"caption with --model {file}" in done.stdout
    names = ["mine.safetensors", "mine.start.onnx", "mine.step.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names and has_graphs(file)
    weights, notes = checkpoint.read(file)
    checkpoint.write(file, weights, notes | {"trained": "again"})  # all tensors lie elsewhere now
    assert not has_graphs(file)
