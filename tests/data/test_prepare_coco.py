"""A COCO download in, the recipes' files out, read back with other programs' readers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO as Coco

import data.prepare
import data.shards
from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError
from captioner.evaluation.instances import read_instances
from captioner.training.data import read_examples
from captioner.training.labels import read_labels
from data.prepare_coco import prepare_coco
from tests.data.official import (
    COCO,
    WITHOUT_OBJECTS,
    captions,
    coco_name,
    draw,
    make_coco,
    packed,
    text,
)

REPOSITORY = Path(__file__).resolve().parents[2]
SIDES = {"train": 288, "val": 320, "test": 352}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_coco(tmp_path_factory.mktemp("official") / "coco")


@pytest.fixture(scope="module")
def prepared(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("prepared") / "out"
    prepare_coco(original, output, workers=1)
    return output


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.prepare, "PHOTOS_A_SHARD", 2)


def ids(output: Path, split: str) -> set[object]:
    return {photo.id for photo in read_references(output / f"captions_{split}.json")}


def stamps(output: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in (output / "photos").iterdir()}


@pytest.mark.parametrize("split", SIDES)
def test_captions_are_those_of_karpathys_split(prepared: Path, split: str) -> None:
    own = ("train", "restval") if split == "train" else (split,)
    wanted = {number for number, (of, _) in COCO.items() if of in own}
    photos = read_references(prepared / f"captions_{split}.json", source="coco")
    assert {photo.id for photo in photos} == wanted
    for photo in photos:
        assert list(photo.captions) == captions(photo.id)
        assert photo.file_name == f"coco/{photo.id:012}.webp"


@pytest.mark.parametrize("split", SIDES)
def test_photos_are_small_and_in_proportion(prepared: Path, split: str) -> None:
    photos = packed(prepared)
    content = json.loads((prepared / f"captions_{split}.json").read_text())
    for image in content["images"]:
        photo = photos[image["file_name"]]
        width, height = COCO[image["id"]][1]
        assert photo.format == "WEBP"
        assert photo.size == (image["width"], image["height"])
        assert min(photo.size) == min(SIDES[split], width, height)
        assert photo.width / photo.height == pytest.approx(width / height, rel=0.005)


def test_photos_show_what_the_originals_show(original: Path, prepared: Path) -> None:
    for name, photo in packed(prepared).items():
        whole = Image.open(original / coco_name(int(Path(name).stem)))
        expected = np.asarray(whole.resize(photo.size, Image.Resampling.BOX), float)
        assert np.abs(np.asarray(photo.convert("RGB"), float) - expected).mean() < 4


@pytest.mark.parametrize("split", ["val", "test"])
def test_boxes_lie_on_what_they_box(prepared: Path, split: str) -> None:
    photos = packed(prepared)
    coco = Coco(str(prepared / f"instances_{split}.json"))
    assert set(coco.getImgIds()) == ids(prepared, split)
    for image in coco.loadImgs(coco.getImgIds()):
        (annotation,) = coco.loadAnns(coco.getAnnIds(image["id"]))
        left, top, width, height = annotation["bbox"]
        photo = np.asarray(photos[image["file_name"]].convert("RGB"), int)
        red = photo[..., 0] - photo[..., 1] > 60
        rows, columns = np.nonzero(red)
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert found == pytest.approx((left, top, left + width, top + height), abs=2.5)
        assert annotation["area"] == pytest.approx(width * height, rel=0.01)
    boxed = read_instances(prepared / f"instances_{split}.json")
    assert all(photo.judges(["dog"]) for photo in boxed.photos.values())


def test_labels_are_what_a_training_run_reads(prepared: Path) -> None:
    examples = read_examples(prepared / "captions_train.json", ("coco",), ("train",))
    names, labels, known = read_labels(prepared / "labels.json", examples)
    assert names == ["dog"] and known.tolist() == [1.0] * len(examples)
    of = {example.id: row for example, row in zip(examples, labels.tolist(), strict=True)}
    assert of == {9: [1.0], WITHOUT_OBJECTS: [0.0], 30: [1.0], 34: [1.0]}


def test_labels_of_the_photos_that_coco_has_looked_through(original: Path, tmp_path: Path) -> None:
    """Those of train2014 are not known from the file of val2014."""
    folder = tmp_path / "coco"
    shutil.copytree(original, folder)
    (folder / "annotations" / "instances_train2014.json").unlink()
    prepare_coco(folder, tmp_path / "out", workers=1, limit=3)
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert labels == {"30": ["dog"]}  # the limit leaves 34 out


def test_pycocotools_reads_the_captions(prepared: Path) -> None:
    coco = Coco(str(prepared / "captions_val.json"))
    assert [a["caption"] for a in coco.loadAnns(coco.getAnnIds(42))] == captions(42)


def test_a_turned_photo_stands_upright_and_has_no_boxes(original: Path, tmp_path: Path) -> None:
    folder = tmp_path / "coco"
    shutil.copytree(original, folder)
    draw(folder / coco_name(42), COCO[42][1], orientation=6)
    prepare_coco(folder, tmp_path / "out", workers=1)
    assert packed(tmp_path / "out")["coco/000000000042.webp"].size == (320, 427)
    assert set(Coco(str(tmp_path / "out" / "instances_val.json")).getImgIds()) == {73, 74}


def test_photos_and_boxes_of_2017_serve_as_well(
    original: Path, prepared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "coco"
    for number in COCO:
        file = folder / "train2017" / f"{number:012}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original / coco_name(number), file)
    shutil.copy(original / "dataset_coco.json", folder)
    for year in ("train", "val"):
        file = original / "annotations" / f"instances_{year}2014.json"
        shutil.copy(file, folder / f"instances_{year}2017.json")
    prepare_coco(folder, tmp_path / "out", workers=1)
    for name in ("captions_train.json", "captions_test.json", "instances_val.json", "labels.json"):
        assert (tmp_path / "out" / name).read_bytes() == (prepared / name).read_bytes()


def test_a_stopped_run_goes_on(
    original: Path, tmp_path: Path, small_shards: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    prepare_coco(original, whole, workers=1)
    shrunk, seen = data.shards.shrunk, []

    def interrupted(file: Path, side: int) -> Image.Image:
        seen.append(file)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return shrunk(file, side)

    monkeypatch.setattr(data.shards, "shrunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_coco(original, stopped, workers=1)
    done = stamps(stopped)
    assert sorted(done) == ["coco-train-000.tar", "coco-train-001.tar"]
    assert not (stopped / "captions_train.json").exists()
    prepare_coco(original, stopped, workers=1)
    assert stamps(stopped).items() >= done.items()  # not written again
    assert len(set(seen)) == len(COCO) and len(seen) == len(COCO) + 2  # one shard begun twice
    for file in [*whole.glob("*.json"), *whole.glob("photos/*")]:
        assert (stopped / file.relative_to(whole)).read_bytes() == file.read_bytes()


def test_only_what_changed_is_done_again(
    original: Path, tmp_path: Path, small_shards: None
) -> None:
    output = tmp_path / "out"
    prepare_coco(original, output, workers=1)
    first = stamps(output)
    (output / "photos" / "coco-val-000.tar").write_bytes(b"cut off")
    prepare_coco(original, output, workers=1)
    again = stamps(output)
    assert again.keys() == first.keys()
    assert {name for name in first if again[name] != first[name]} == {"coco-val-000.tar"}
    prepare_coco(original, output, workers=1, side=100)
    assert not again.items() & stamps(output).items()
    assert {min(photo.size) for photo in packed(output).values()} == {100}


def test_a_limit_turns_the_other_training_sentences_into_text(
    original: Path, tmp_path: Path, small_shards: None
) -> None:
    output = tmp_path / "out"
    prepare_coco(original, output, workers=1)
    assert text(output, "coco") == []
    prepare_coco(original, output, workers=1, limit=1)
    assert [ids(output, split) for split in SIDES] == [{9}, {42}, {133}]
    assert text(output, "coco") == captions(25) + captions(30) + captions(34)
    assert set(packed(output)) == {f"coco/{number:012}.webp" for number in (9, 42, 133)}


def test_photos_that_are_not_there(original: Path, tmp_path: Path) -> None:
    folder, output = tmp_path / "coco", tmp_path / "out"
    shutil.copytree(original, folder)
    for number in (25, 136):
        (folder / coco_name(number)).unlink()
    with pytest.raises(CaptionerError, match=r"2 of 10 photos.*000000000025.*train2014\.zip"):
        prepare_coco(folder, output, workers=1)
    assert not output.exists()
    prepare_coco(folder, output, workers=1, allow_missing=True)
    assert ids(output, "train") == {9, 30, 34} and ids(output, "test") == {133, 36979}
    assert text(output, "coco") == captions(25)  # and none of the test photo's
    shutil.rmtree(folder / "train2014")
    shutil.rmtree(folder / "val2014")
    with pytest.raises(CaptionerError, match="none of the photos is there"):
        prepare_coco(folder, output, workers=1, allow_missing=True)


def test_a_damaged_photo_is_named(original: Path, tmp_path: Path) -> None:
    folder, output = tmp_path / "coco", tmp_path / "out"
    shutil.copytree(original, folder)
    file = folder / coco_name(73)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CaptionerError, match=r"1 of 10 photos cannot be read: .*000000000073\.jpg"):
        prepare_coco(folder, output, workers=1)
    assert not (output / "captions_val.json").exists()
    prepare_coco(folder, output, workers=1, allow_missing=True)
    assert ids(output, "val") == {42, 74}
    file.write_bytes(whole)
    prepare_coco(folder, output, workers=1)
    assert ids(output, "val") == {42, 73, 74}


def test_a_wrong_file_of_captions_is_refused(original: Path, tmp_path: Path) -> None:
    content = json.loads((original / "dataset_coco.json").read_text())
    (tmp_path / "dataset_coco.json").write_text(json.dumps({**content, "dataset": "flickr8k"}))
    with pytest.raises(CaptionerError, match="is not Karpathy's file of COCO"):
        prepare_coco(tmp_path, tmp_path / "out")


def test_an_output_of_other_making_is_refused(original: Path, tmp_path: Path) -> None:
    (tmp_path / "captions_train.json").write_text("mine")
    with pytest.raises(CaptionerError, match=r"was filled by data\.from_folder"):
        prepare_coco(original, tmp_path)
    assert (tmp_path / "captions_train.json").read_text() == "mine"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "data" / "prepare_coco.py"), *map(str, arguments)],
        capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip


def test_as_a_command_with_two_processes(original: Path, prepared: Path, tmp_path: Path) -> None:
    done = run(original, "-o", tmp_path / "out", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert "train: 4 photos (4 coco), 20 captions" in done.stdout
    for file in [*prepared.glob("*.json"), *prepared.glob("photos/*")]:
        assert (tmp_path / "out" / file.relative_to(prepared)).read_bytes() == file.read_bytes()


def test_as_a_command_with_nothing_to_read(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path}: holds no dataset_coco.json" in line
    assert "https://cs.stanford.edu/people/karpathy/deepimagesent/" in line
