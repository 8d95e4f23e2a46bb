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

from captioner import checkpoint
from captioner.engines.graphs import OnnxRuntime, OpenVino, Tensors
from captioner.export.run import export
from captioner.model.decoder import Memory, State
from captioner.model.model import Model
from captioner.notes import SCALE, read_header
from tests.export.kinds import KINDS, model_of_kind
from tests.tiny import PIXELS, tiny_model

Exported = Callable[[str, str], tuple[Model, Path]]
MEMORY = [field.name for field in fields(Memory)]
ENGINES = ("onnxruntime", "openvino", "torch")
CASES = [(kind, engine) for kind in KINDS for engine in ENGINES]


def format_of(engine: str) -> str:
    return "torch" if engine == "torch" else "onnx"


def notes_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "captioner.json").read_text())["graphs"]


def open_graph(folder: Path, graph: str, engine: str) -> Callable[[Tensors], Tensors]:
    """The graph on that runtime, in fp32."""
    notes = notes_of(folder)[graph]
    file = folder / notes["file"]
    if engine != "torch":
        runner = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}[engine]("float32").open(file)
        return lambda tensors: runner([tensors])[0]
    module = torch.export.load(file).module()

    def run(tensors: Tensors) -> Tensors:
        given = [torch.from_numpy(tensors[tensor["name"]]) for tensor in notes["inputs"]]
        with torch.no_grad():
            found = [part.numpy() for part in module(*given)]
        return {t["name"]: part for t, part in zip(notes["outputs"], found, strict=True)}

    return run


def check(found: Tensors, name: str, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found[name], expected.numpy(), atol=2e-5, rtol=2e-5, err_msg=name)


def check_graphs(model: Model, folder: Path, photos: int, beams: int, engine: str) -> None:
    """`start`, then two steps with beams that change places, against the model itself."""
    start, step = (open_graph(folder, graph, engine) for graph in ("start", "step"))
    torch.manual_seed(photos)
    squares = torch.randint(0, 256, (photos, 3, PIXELS, PIXELS), dtype=torch.uint8)
    begun = start({"photos": squares.numpy()})
    with torch.no_grad():
        state = model.start(squares)
        for name in set(begun) & set(MEMORY):
            check(begun, name, getattr(state.memory, name))
        rows = [name for name in ("hidden", "cell", "taught") if name in begun]
        for name in rows:
            check(begun, name, getattr(state, name)[:, None])
        if model.sees_attributes:
            ids, certainty = model.name_attributes(model.head(model.encoder(squares)))
            assert np.array_equal(begun["attribute_ids"], ids)
            check(begun, "certainty", certainty)
        memory = {name: begun[name] for name in begun if name in MEMORY}
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


@pytest.mark.parametrize(("kind", "engine"), CASES)
def test_graphs_equal_the_model(exported: Exported, kind: str, engine: str) -> None:
    model, folder = exported(kind, format_of(engine))
    for photos, beams in ((1, 1), (1, 3), (2, 1), (4, 5)):
        check_graphs(model, folder, photos, beams, engine)


@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_the_whole_encoder(tmp_path: Path, format: str) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.decoder.region[-1].weight *= 0.1  # regions of about 1, as trained ones are
    model.load_state_dict(checkpoint.unpack(checkpoint.pack(model.state_dict())))
    export(model, tmp_path / "out", format)
    for engine in ENGINES:
        if format_of(engine) == format:
            check_graphs(model, tmp_path / "out", 2, 2, engine)


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_describes_the_files(exported: Exported, kind: str) -> None:
    model, folder = exported(kind, "onnx")
    types = {"float32": 1, "uint8": 2, "int64": 7}
    assert {p.name for p in folder.iterdir()} == {
        "captioner.json",
        "captioner.safetensors",
        "captioner.start.onnx",
        "captioner.step.onnx",
    }
    for graph, notes in notes_of(folder).items():
        file = onnx.load(folder / f"captioner.{graph}.onnx", load_external_data=False)
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
def test_no_weight_is_stored_twice(exported: Exported, kind: str) -> None:
    """What is not external is tiny, and what is external is a tensor of the checkpoint."""
    _, folder = exported(kind, "onnx")
    header = read_header(folder / "captioner.safetensors")
    places = {
        (header.start + tensor["data_offsets"][0], tuple(tensor["shape"])): name
        for name, tensor in header.tensors.items()
    }
    used = set()
    for graph in ("start", "step"):
        file = folder / f"captioner.{graph}.onnx"
        assert file.stat().st_size < 120_000
        model = onnx.load(file, load_external_data=False)
        onnx.checker.check_model(str(file))
        for tensor in model.graph.initializer:
            if tensor.data_location != onnx.TensorProto.EXTERNAL:
                assert len(tensor.raw_data) < 100
                continue
            told = {entry.key: entry.value for entry in tensor.external_data}
            name = places[int(told["offset"]), tuple(tensor.dims)]
            assert told["location"] == "captioner.safetensors"
            first, end = header.tensors[name]["data_offsets"]
            assert int(told["length"]) == end - first
            used.add(name)
    unused = {name for name in set(header.tensors) - used if not name.startswith("head.")}
    assert unused <= {"rarity", "decoder.no_photo"}


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
    files = [tmp_path / str(int8) / "captioner.safetensors" for int8 in (True, False)]
    small, large = (checkpoint.read(file)[0] for file in files)
    assert files[0].stat().st_size < 0.6 * files[1].stat().st_size  # against fp16
    for name, weight in large.items():
        if weight.dim() < 2 or weight.numel() < checkpoint.SMALL:
            assert torch.equal(small[name], weight)
            continue
        assert small[name].dtype == torch.int8
        scale = small[name + SCALE]
        off = (small[name] * scale - weight.float()).abs()
        assert (off <= scale * 0.501).all()


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_int8_graphs_compute_with_the_weights_that_are_stored(tmp_path: Path, engine: str) -> None:
    model = model_of_kind(reading="lstm", cell="gru")
    export(model, tmp_path / "out", int8=True)
    weights, _ = checkpoint.read(tmp_path / "out" / "captioner.safetensors")
    before = model.start(torch.zeros(1, 3, PIXELS, PIXELS, dtype=torch.uint8)).memory.regions
    model.load_state_dict(checkpoint.unpack(weights))
    after = model.start(torch.zeros(1, 3, PIXELS, PIXELS, dtype=torch.uint8)).memory.regions
    assert not torch.equal(before, after)
    check_graphs(model, tmp_path / "out", 2, 3, engine)
