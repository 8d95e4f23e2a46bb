"""Exported graphs compute what the model computes, for any number of photos and beams."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from captioner.export.onnx_files import SMALL
from captioner.export.run import export
from captioner.export.runner import Tensors, open_graph
from captioner.model.decoder import Memory, State
from captioner.model.model import Model
from tests.export.kinds import KINDS, model_of_kind
from tests.tiny import PIXELS, tiny_model

Exported = Callable[[str, str], tuple[Model, Path]]
MEMORY = [field.name for field in fields(Memory)]
CASES = [(kind, format) for kind in KINDS for format in ("onnx", "torch")]


def notes_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "captioner.json").read_text())["graphs"]


def check(found: Tensors, name: str, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found[name], expected.numpy(), atol=2e-5, rtol=2e-5, err_msg=name)


def check_graphs(model: Model, folder: Path, photos: int, beams: int) -> None:
    """`start`, then two steps with beams that change places, against the model itself."""
    notes = notes_of(folder)
    start, step = (open_graph(folder / notes[n]["file"], notes[n]) for n in ("start", "step"))
    torch.manual_seed(photos)
    squares = torch.randint(0, 256, (photos, 3, PIXELS, PIXELS), dtype=torch.uint8)
    begun = start({"photos": squares.numpy()})
    with torch.no_grad():
        state = model.start(squares)
        for name in set(begun) & set(MEMORY):
            check(begun, name, getattr(state.memory, name))
        rows = [name for name in ("hidden", "cell") if name in begun]
        for name in rows:
            check(begun, name, getattr(state, name)[:, None])
        memory = {name: begun[name] for name in begun if name not in rows}
        state = state.select(torch.arange(photos).repeat_interleave(beams))
        after = {name: np.repeat(begun[name], beams, 1) for name in rows}
        for _ in range(2):
            words = torch.randint(0, len(model.vocabulary), (photos, beams))
            log_probs, state, attention = model.decoder.step(words.flatten(), state)
            found = step({"words": words.numpy(), **memory, **after})
            shape = (photos, beams)
            check(found, "log_probabilities", log_probs.unflatten(0, shape))
            if attention.shape[1]:
                check(found, "attention", attention.unflatten(0, shape))
            for name in rows:
                check(found, f"next_{name}", getattr(state, name).unflatten(0, shape))
            after = {name: found[f"next_{name}"][:, ::-1].copy() for name in rows}
            backwards = torch.arange(photos * beams).view(shape).flip(1).flatten()
            state = state.select(backwards)


@pytest.mark.parametrize(("kind", "format"), CASES)
def test_graphs_equal_the_model(exported: Exported, kind: str, format: str) -> None:
    model, folder = exported(kind, format)
    for photos, beams in ((1, 1), (1, 3), (2, 1), (4, 5)):
        check_graphs(model, folder, photos, beams)


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_the_whole_encoder(tmp_path: Path, format: str) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.decoder.region[-1].weight *= 0.1  # regions of about 1, as trained ones are
    export(model, tmp_path / "out", format)
    check_graphs(model, tmp_path / "out", 2, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_describes_the_files(exported: Exported, kind: str) -> None:
    model, folder = exported(kind, "onnx")
    types = {"float32": 1, "uint8": 2, "int64": 7}
    assert {p.name for p in folder.iterdir()} == {"captioner.json", "start.onnx", "step.onnx"}
    for graph, notes in notes_of(folder).items():
        file = onnx.load(folder / f"{graph}.onnx")
        assert {o.domain: o.version for o in file.opset_import} == {"": 18}
        for kept, told in ((file.graph.input, "inputs"), (file.graph.output, "outputs")):
            assert [
                {
                    "name": tensor.name,
                    "type": tensor.type.tensor_type.elem_type,
                    "shape": [
                        d.dim_param or d.dim_value for d in tensor.type.tensor_type.shape.dim
                    ],
                }
                for tensor in kept
            ] == [t | {"type": types[t["type"]]} for t in notes[told]]
    step = notes_of(folder)["step"]
    assert ("attention" in {t["name"] for t in step["outputs"]}) == model.config.decoder.attends


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_is_stored_once(exported: Exported, kind: str) -> None:
    model, folder = exported(kind, "onnx")
    wanted = sum(w.numel() for w in model.parameters())
    held = 0
    for graph in ("start", "step"):
        weights = [
            numpy_helper.to_array(t) for t in onnx.load(folder / f"{graph}.onnx").graph.initializer
        ]
        large = [np.sort(w.ravel()).tobytes() for w in weights if w.size > 50 and np.ptp(w)]
        assert len(set(large)) == len(large), "a weight is there twice, perhaps transposed"
        held += sum(w.size for w in weights if w.dtype == np.float32)
    assert held < 1.02 * wanted + 300


def test_programs_hold_the_weights_that_they_read(exported: Exported) -> None:
    model, folder = exported("attention", "torch")
    sizes = [
        sum(w.numel() for w in torch.export.load(folder / f"{graph}.pt2").state_dict.values())
        for graph in ("start", "step")
    ]
    assert sum(sizes) < 1.02 * sum(w.numel() for w in model.parameters()) + 300


def test_exporting_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    model = model_of_kind()
    before = {name: w.clone() for name, w in model.state_dict().items()}
    for format in ("onnx", "torch"):
        export(model, tmp_path / format, format)
    assert all(torch.equal(w, before[name]) for name, w in model.state_dict().items())
    squares = torch.zeros(1, 3, PIXELS, PIXELS, dtype=torch.uint8)
    assert isinstance(model.start(squares), State)


def test_int8_weights_are_a_quarter_and_off_by_half_a_step(tmp_path: Path) -> None:
    model = model_of_kind(reading="lstm", cell="gru")
    for int8 in (False, True):
        export(model, tmp_path / str(int8), int8=int8)
    sizes = [(tmp_path / str(int8) / "start.onnx").stat().st_size for int8 in (True, False)]
    assert sizes[0] < 0.4 * sizes[1]
    weights = {
        t.name: numpy_helper.to_array(t)
        for t in onnx.load(tmp_path / "False" / "step.onnx").graph.initializer
    }
    small = onnx.load(tmp_path / "True" / "step.onnx").graph
    stored = {t.name: numpy_helper.to_array(t) for t in small.initializer}
    nodes = [node for node in small.node if node.op_type == "DequantizeLinear"]
    assert {node.output[0] for node in nodes} == {
        name for name, weight in weights.items() if weight.ndim > 1 and weight.size >= SMALL
    }
    for node in nodes:
        whole, scale = (stored[name] for name in node.input)
        axis = node.attribute[0].i
        scale = np.expand_dims(scale, [i for i in range(whole.ndim) if i != axis])
        off = np.abs(weights[node.output[0]] - whole * scale)
        assert (off <= scale * 0.501).all()


def test_int8_graphs_give_nearly_the_same(tmp_path: Path) -> None:
    model = model_of_kind(reading="lstm", cell="gru")
    export(model, tmp_path / "out", int8=True)
    notes = notes_of(tmp_path / "out")
    start = open_graph(tmp_path / "out" / "start.onnx", notes["start"])
    squares = torch.randint(0, 256, (2, 3, PIXELS, PIXELS), dtype=torch.uint8)
    found = start({"photos": squares.numpy()})["regions"]
    with torch.no_grad():
        expected = model.start(squares).memory.regions.numpy()
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
