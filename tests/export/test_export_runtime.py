"""The captioner without torch writes what the captioner on PyTorch writes."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from captioner import Caption, Captioner, CaptionerError, ImageError, Options, checkpoint
from captioner.export import runtime
from captioner.export.run import export
from captioner.model.model import Model
from tests.export.kinds import KINDS

Exported = Callable[[str, str], tuple[Model, Path]]
ROOT = Path(__file__).parents[2]
CASES = [(kind, "onnx") for kind in KINDS] + [("attention", "torch")]
SEARCHES = [
    Options(beam=1),
    Options(beam=3, consensus=False, min_words=3),
    Options(beam=4, consensus=False, alternatives=3, length_penalty=1.3, max_words=9),
    Options(min_words=4, alternatives=9),
    Options(style="flickr8k", min_words=12, max_words=12),
]


def in_fp32(model: Model) -> Captioner:
    """The captioner of a model, with its encoder in fp32 on every processor."""
    captioner = Captioner(copy.deepcopy(model))
    captioner.model.float().load_state_dict(model.state_dict())
    return captioner


def check_same(ours: Caption, theirs: Caption) -> None:
    assert (ours.text, ours.words) == (theirs.text, theirs.words)
    assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)
    assert ours.score == pytest.approx(theirs.score, abs=1e-4)
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)
    assert ours.attention.dtype == np.float32
    np.testing.assert_allclose(ours.attention, theirs.attention, atol=1e-4)
    assert len(ours.alternatives) == len(theirs.alternatives)
    for one, other in zip(ours.alternatives, theirs.alternatives, strict=True):
        check_same(one, other)


@pytest.mark.parametrize(("kind", "format"), CASES)
def test_captions_of_every_kind_and_search(
    exported: Exported, pictures: list[Image.Image], kind: str, format: str
) -> None:
    model, folder = exported(kind, format)
    ours, theirs = runtime.load(folder), in_fp32(model)
    texts = set()
    for options in SEARCHES:
        found = list(ours.caption_many(pictures, 3, options))
        texts |= {caption.text for caption in found}
        for one, other in zip(found, theirs.caption_many(pictures, 5, options), strict=True):
            check_same(one, other)
    assert len(texts) > 4


def test_one_photo_is_as_in_a_batch(exported: Exported, pictures: list[Image.Image]) -> None:
    ours = runtime.load(exported("attention", "onnx")[1])
    for picture, together in zip(pictures, ours.caption_many(pictures), strict=True):
        check_same(ours.caption(picture), together)
    assert list(ours.caption_many([])) == []


def test_broken_pictures(exported: Exported, pictures: list[Image.Image]) -> None:
    ours = runtime.load(exported("attention", "onnx")[1])
    batch = [b"text", pictures[0], b"", pictures[1]]
    found = list(ours.caption_many(batch, 2, errors="return"))
    assert [type(one) for one in found] == [ImageError, Caption, ImageError, Caption]
    with pytest.raises(ImageError, match="picture: "):
        ours.caption(b"text")
    with pytest.raises(CaptionerError, match="errors must be 'raise' or 'return', not 'ignore'"):
        next(ours.caption_many(batch, errors="ignore"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(temperature=1.0), "temperature is an option of the captioner on PyTorch"),
        (Options(prefix="a dog"), "prefix is an option"),
        (Options(avoid=("dog",)), "avoid is an option"),
        (Options(style="poem"), "style must be one of coco, flickr8k, not 'poem'"),
    ],
)
def test_options_that_cannot_be_followed(
    exported: Exported, pictures: list[Image.Image], options: Options, said: str
) -> None:
    ours = runtime.load(exported("attention", "onnx")[1])
    with pytest.raises(CaptionerError, match=said):
        ours.caption(pictures[0], options)


def others(*wanted: str) -> set[str]:
    """All modules that are installed with neither the `wanted` packages nor what those need."""
    needed: set[str] = set()
    waiting = [*wanted]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            with suppress(PackageNotFoundError):
                lines = [line for line in requires(name) or [] if "extra ==" not in line]
                waiting += [re.split(r"[^\w.-]", line)[0].lower() for line in lines]
    return {
        module
        for module, packages in packages_distributions().items()
        if not needed & {package.lower() for package in packages}
    }


def run_blocked(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The runtime's command in a Python that has what captioner[onnx] names, and nothing else."""
    [extra] = re.findall(r"^onnx = (.*)", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    named = re.findall(r'"(\w+)>=', extra)
    assert set(named) == {"numpy", "pillow", "onnxruntime"}
    blocked = others(*named) - {"captioner"}
    assert {"torch", "torchvision", "typer", "pydantic", "nltk", "onnx", "safetensors"} <= blocked
    script = (
        "import runpy, sys\n"
        f"for name in {blocked}: sys.modules[name] = None\n"
        "runpy.run_module('captioner.export.runtime', run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": "."},
    )


def test_the_command_needs_no_torch_and_no_other_package(
    exported: Exported, pictures: list[Image.Image], tmp_path: Path
) -> None:
    model, folder = exported("attention", "onnx")
    files = [tmp_path / f"{i}.png" for i in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        picture.save(file)
    done = run_blocked(str(folder), *map(str, files))
    assert (done.returncode, done.stderr) == (0, "")
    expected = in_fp32(model).caption_many(pictures)
    assert done.stdout.splitlines() == [
        f"{file}\t{caption.text}" for file, caption in zip(files, expected, strict=True)
    ]
    done = run_blocked(str(folder), str(tmp_path / "none.png"), str(files[0]), "--beam", "1")
    assert done.returncode == 1 and "there is no such file" in done.stderr
    assert len(done.stdout.splitlines()) == 1
    done = run_blocked(str(tmp_path), str(files[0]))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "holds no captioner.json" in done.stderr


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "captioner.json").write_text("{"), "is damaged"),
        (lambda f: (f / "captioner.json").write_text("[]"), "was not written by"),
        (lambda f: (f / "step.onnx").unlink(), "step.onnx is missing"),
        (lambda f: (f / "step.onnx").write_bytes(b"no graph"), "cannot be opened"),
    ],
)
def test_damaged_folders(
    exported: Exported, tmp_path: Path, damage: Callable[[Path], object], said: str
) -> None:
    for file in exported("feedback", "onnx")[1].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    damage(tmp_path)
    with pytest.raises(CaptionerError, match=said):
        runtime.load(tmp_path)


def test_a_newer_folder(exported: Exported, tmp_path: Path) -> None:
    notes = json.loads((exported("feedback", "onnx")[1] / "captioner.json").read_text())
    (tmp_path / "captioner.json").write_text(json.dumps(notes | {"version": 2}))
    with pytest.raises(CaptionerError, match="has version 2, this captioner reads 1"):
        runtime.load(tmp_path)


def test_photos_of_the_test_split(shared: Path, tmp_path: Path) -> None:
    """The embedded captioner; benchmarks/export_equal.py compares all photos."""
    photos = Path(os.environ.get("CAPTIONER_PHOTOS", shared.parent / "photos"))
    entries = json.loads((shared / "data" / "captions_test.json").read_text())["images"]
    chosen = [photos / entry["file_name"] for entry in entries[::40]]
    if not all(photo.exists() for photo in chosen):
        pytest.skip("needs the photos unpacked beside the checkout (../photos)")
    model = checkpoint.load(checkpoint.EMBEDDED)
    export(model, tmp_path / "out")
    ours, theirs = runtime.load(tmp_path / "out"), in_fp32(model)
    for options in (Options(), Options(beam=1)):
        found = ours.caption_many(chosen, options=options)
        for one, other in zip(found, theirs.caption_many(chosen, options=options), strict=True):
            check_same(one, other)
