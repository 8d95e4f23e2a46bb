"""Every engine writes the same: captions of graphs, without torch, against PyTorch's."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import captioner
from captioner import Caption, Captioner, CaptionerError, Options, checkpoint
from captioner.assets import EMBEDDED
from captioner.engines.graphs import GraphEngine, OpenVino, graph_file, has_graphs
from captioner.engines.opening import open_engine
from captioner.engines.torch import TorchEngine
from captioner.model.model import Model
from captioner.notes import of_model
from tests.export.kinds import KINDS

Exported = Callable[[str, str], tuple[Model, Path]]
ROOT = Path(__file__).parents[2]
GRAPHS = ("onnxruntime", "openvino")
OPTIONS = [
    Options(beam=1),
    Options(beam=3, consensus=False, min_words=3, choices=3),
    Options(beam=4, consensus=False, alternatives=3, length_penalty=1.3, max_words=9),
    Options(min_words=4, alternatives=9),
    Options(style="flickr8k", min_words=12, max_words=12),
    Options(temperature=1.0, alternatives=4, seed=3, top_k=9, top_p=0.9, choices=2),
    Options(beam=6, groups=3, alternatives=5, min_words=3),
    Options(prefix="a dog", avoid=("cat", "runs"), min_words=4),
    Options(include=("red", "ball"), alternatives=2),
]


def check_same(ours: Caption, theirs: Caption) -> None:
    assert (ours.text, ours.words) == (theirs.text, theirs.words)
    assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)
    assert ours.score == pytest.approx(theirs.score, abs=1e-4)
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)
    assert ours.evidence == pytest.approx(theirs.evidence, abs=1e-2)
    assert ours.attention.dtype == theirs.attention.dtype == np.float32
    np.testing.assert_allclose(ours.attention, theirs.attention, atol=1e-4)
    for mine, yours in zip(ours.choices, theirs.choices, strict=True):
        assert [word for word, _ in mine] == [word for word, _ in yours]
        assert [p for _, p in mine] == pytest.approx([p for _, p in yours], abs=1e-4)
    for one, other in zip(ours.alternatives, theirs.alternatives, strict=True):
        check_same(one, other)


def on_graphs(name: str, model: Model, folder: Path) -> Captioner:
    """As `open_engine`, for models whose encoder no configuration describes."""
    from captioner.engines.opening import RUNTIMES

    runtime = RUNTIMES[name]("float32")
    file = folder / "captioner.safetensors"
    graphs = (runtime.open(graph_file(file, graph)) for graph in ("start", "step"))
    return Captioner(GraphEngine(name, "float32", of_model(model, "kind"), *graphs))


@pytest.mark.parametrize("engine", GRAPHS)
@pytest.mark.parametrize("kind", KINDS)
def test_captions_of_every_kind_and_option(
    exported: Exported, pictures: list[Image.Image], kind: str, engine: str
) -> None:
    model, folder = exported(kind, "onnx")
    ours = on_graphs(engine, model, folder)
    theirs = Captioner(TorchEngine(copy.deepcopy(model), dtype="float32"))
    texts = set()
    for options in OPTIONS:
        found = list(ours.caption_many(pictures, batch_size=3, options=options))
        texts |= {caption.text for caption in found}
        expected = theirs.caption_many(pictures, batch_size=5, options=options)
        for one, other in zip(found, expected, strict=True):
            check_same(one, other)
    assert len(texts) > 8


@pytest.mark.parametrize("engine", GRAPHS)
def test_one_photo_is_as_in_a_batch(
    exported: Exported, pictures: list[Image.Image], engine: str
) -> None:
    ours = on_graphs(engine, *exported("attention", "onnx"))
    for picture, together in zip(pictures, ours.caption_many(pictures), strict=True):
        check_same(ours.caption(picture), together)
    assert list(ours.caption_many([])) == []


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole checkpoint with its graphs."""
    pytest.importorskip("onnxscript")
    from captioner.export.run import write_graphs
    from tests.tiny import tiny_model

    file = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    checkpoint.save(tiny_model(), file)
    write_graphs(file)
    return file


def test_the_quickest_engine_is_taken_and_each_can_be_named(tiny: Path) -> None:
    assert captioner.load(tiny).engine.name == "openvino"
    assert captioner.load(tiny, dtype="float32").engine.precision == "float32"
    for name in (*GRAPHS, "torch"):
        loaded = captioner.load(tiny, engine=name)
        assert loaded.engine.name == name and loaded.name == "tiny"
    assert captioner.load(tiny, device="cpu").engine.name == "openvino"


def test_both_graphs_compute_in_the_precision_that_is_told(tiny: Path) -> None:
    """OpenVINO's own word for it, since short numbers change few captions."""
    able = "BF16" in OpenVino(None)._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert OpenVino(None).precision == ("bfloat16" if able else "float32")
    assert OpenVino("float32").precision == "float32"
    for precision in {"float32", OpenVino(None).precision}:
        for graph in ("start", "step"):
            compiled = OpenVino(precision).compile(graph_file(tiny, graph))
            used = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
            assert used == ("bf16" if precision == "bfloat16" else "f32")


def test_the_cell_and_the_probabilities_stay_fp32(tiny: Path) -> None:
    """Also in bf16: what OpenVINO computes last has its full precision, its exponents sum to 1."""
    if OpenVino(None).precision != "bfloat16":
        pytest.skip("this processor does not compute in bfloat16")
    compiled = OpenVino("bfloat16").compile(graph_file(tiny, "step"))
    precision = {
        node.get_friendly_name(): str(node.get_rt_info()["runtimePrecision"].value)
        for node in compiled.get_runtime_model().get_ordered_ops()
    }
    for name in ("log_probabilities", "next_cell", "next_hidden", "attention"):
        assert precision[name] == "f32", precision


@pytest.mark.parametrize("embedded", [False, True])
def test_several_inputs_are_computed_as_each_alone(tiny: Path, embedded: bool) -> None:
    """Where each has its share of the cores. With two of OpenVINO's streams the embedded model saw
    vases everywhere, while tiny ones did not mind."""
    file = EMBEDDED if embedded else tiny
    start = OpenVino("float32").open(graph_file(file, "start"))
    side = captioner.load(file).engine.notes.pixels
    photos = np.random.default_rng(0).integers(0, 256, (5, 2, 3, side, side), np.uint8)
    together = start([{"photos": pair} for pair in photos])
    for pair, found in zip(photos, together, strict=True):
        [alone] = start([{"photos": pair}])
        assert found.keys() == alone.keys()
        for name, part in alone.items():
            np.testing.assert_allclose(found[name], part, atol=1e-4, err_msg=name)


def test_a_signal_after_two_engines_that_came_and_went_is_handled() -> None:
    """What remained was a stack for signal handlers that was no more: SIGSEGV ended the process."""
    program = """
import gc, signal
from captioner.engines.graphs import OpenVino
first, second = OpenVino(None), OpenVino(None)
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("handled"))
signal.raise_signal(signal.SIGINT)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr


def test_a_checkpoint_without_graphs_is_for_torch(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "bare.safetensors"
    file.write_bytes(tiny.read_bytes())
    assert captioner.load(file).engine.name == "torch"
    with pytest.raises(CaptionerError) as error:
        captioner.load(file, engine="openvino")
    assert f"captioner export --model {file}" in str(error.value)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"engine": "tvm"}, "engine must be one of openvino, onnxruntime, torch, not 'tvm'"),
        ({"dtype": "int8"}, "dtype must be one of float32, bfloat16, not 'int8'"),
        ({"engine": "openvino", "device": "cuda"}, "device 'cuda' is for torch"),
        ({"engine": "onnxruntime", "dtype": "bfloat16"}, "computes in float32"),
        ({"engine": "torch", "device": "cuda:99"}, "device 'cuda:99' cannot be used: here torch"),
        ({"device": "banana"}, "device 'banana' cannot be used"),
    ],
)
def test_what_cannot_be_had(tiny: Path, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(CaptionerError) as error:
        captioner.load(tiny, **wish)
    assert said in str(error.value)


def test_engines_that_are_not_installed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from captioner.engines import opening

    there = {"onnxruntime", "torch"}
    monkeypatch.setattr(opening, "find_spec", lambda name: name in there or None)
    assert open_engine(tiny).name == "onnxruntime"
    with pytest.raises(CaptionerError, match="'openvino' is not installed: pip install openvino"):
        open_engine(tiny, "openvino")
    there.clear()
    with pytest.raises(CaptionerError, match="no engine to compute with; pip install openvino"):
        open_engine(tiny)


def test_damaged_graphs(tiny: Path, tmp_path: Path) -> None:
    for file in (tiny, graph_file(tiny, "start"), graph_file(tiny, "step")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    step = graph_file(tmp_path / tiny.name, "step")
    digest = step.read_bytes()[-80:]  # still says whose it is
    step.write_bytes(b"no graph" + digest)
    assert has_graphs(tmp_path / tiny.name)
    for engine in GRAPHS:
        with pytest.raises(CaptionerError, match=f"cannot be opened by {engine} ") as error:
            captioner.load(tmp_path / tiny.name, engine=engine)
        assert "\n" not in str(error.value)


def test_the_embedded_model_has_graphs_and_needs_no_torch(tmp_path: Path) -> None:
    """Nor a network, in a Python that has neither torch nor what only training, evaluation and the
    page need."""
    assert has_graphs(EMBEDDED), "run: captioner export"
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)).save(photo)
    blocked = "torch torchvision gradio onnx onnxscript pycocoevalcap tensorboard nltk pydantic"
    script = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    assert not event.startswith('socket.'), (event, arguments)\n"
        "sys.addaudithook(watch)\n"
        f"for name in {blocked.split()!r}: sys.modules[name] = None\n"
        "from captioner import load\n"
        "for engine in ('openvino', 'onnxruntime'):\n"
        f"    print(load(engine=engine).caption({str(photo)!r}).text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2


def test_photos_of_the_test_split(shared: Path) -> None:
    """The embedded captioner; benchmarks/engines_equal.py compares all photos."""
    photos = Path(os.environ.get("CAPTIONER_PHOTOS", shared.parent / "photos"))
    entries = json.loads((shared / "data" / "captions_test.json").read_text())["images"]
    chosen = [photos / entry["file_name"] for entry in entries[::40]]
    if not all(photo.exists() for photo in chosen):
        pytest.skip("needs the photos unpacked beside the checkout (../photos)")
    theirs = list(captioner.load(engine="torch", dtype="float32").caption_many(chosen))
    for engine in GRAPHS:
        ours = captioner.load(engine=engine, dtype="float32").caption_many(chosen)
        for one, other in zip(ours, theirs, strict=True):
            check_same(one, other)
