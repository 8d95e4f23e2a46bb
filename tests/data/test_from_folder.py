"""A folder of prepared data is taken over, and every recipe finds all that it names."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from captioner.errors import CaptionerError
from captioner.training.data import PhotoFiles, read_examples, read_sentences
from data.from_folder import from_folder
from data.prepare_coco import prepare_coco
from data.prepare_flickr import prepare_flickr
from tests.data.official import make_coco, make_flickr

RECIPES = sorted((Path(__file__).resolve().parents[2] / "configs").glob("*.json"))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folder")
    prepare_coco(make_coco(folder / "official"), folder / "data", workers=1)
    return folder / "data"


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """A folder of another's making: no parts in it."""
    from_folder(prepared, tmp_path / "folder", copy=True)
    return tmp_path / "folder"


def named_in(tree: Any) -> Iterator[str]:
    """Everything in a recipe that is a path below data/prepared."""
    if isinstance(tree, str) and tree.startswith("data/prepared/"):
        yield tree.removeprefix("data/prepared/")
    elif isinstance(tree, (dict, list)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from named_in(part)


def absent(output: Path) -> set[str]:
    """What the recipes name and `output` lacks."""
    named = {name for recipe in RECIPES for name in named_in(json.loads(recipe.read_text()))}
    assert "captions_train.json" in named
    return {name for name in named if not (output / name).exists()}


@pytest.mark.parametrize("copy", [False, True])
def test_everything_is_linked_or_copied(folder: Path, tmp_path: Path, copy: bool) -> None:
    (folder / "efficientnet_lite3.safetensors").write_bytes(b"weights")
    (folder / "labels.json").write_text('{"1": ["kite"]}')
    (folder / "unlabelled.json").write_text('{"images": [], "annotations": []}')
    output = tmp_path / "out"
    for _ in range(2):  # the second time over the first
        from_folder(folder, output, copy=copy)
    assert absent(output) == set()
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) >= 10
    for file in files:
        taken = output / file.relative_to(folder)
        assert taken.read_bytes() == file.read_bytes()
        assert taken.is_symlink() != copy
    assert not list(output.rglob("*.partial"))


def test_training_reads_what_was_linked(folder: Path, tmp_path: Path) -> None:
    from_folder(folder, tmp_path / "out")
    places = PhotoFiles([tmp_path / "out" / "photos"])
    for example in read_examples(tmp_path / "out" / "captions_val.json", ("coco",), ("val",)):
        assert places.read(example.file_name, 48).shape == (48, 48, 3)


def test_folders_of_photos_and_no_sentences(folder: Path, tmp_path: Path) -> None:
    for file in (folder / "text").iterdir():
        file.unlink()
    for shard in (folder / "photos").glob("*.tar"):
        with tarfile.open(shard) as tar:
            tar.extractall(folder / "photos", filter="data")
        shard.unlink()
    output = tmp_path / "out"
    from_folder(folder, output, copy=True)
    from_folder(folder, output)  # a link in place of a folder
    assert (output / "photos" / "coco" / "000000000042.webp").is_file()
    assert absent(output) == {"efficientnet_lite3.safetensors"}
    assert read_sentences({"coco": output / "text" / "coco.txt.xz"}) == []


def test_weights_from_beside_or_by_name(folder: Path, tmp_path: Path) -> None:
    beside = folder.parent / "weights" / "efficientnet_lite3.safetensors"
    beside.parent.mkdir()
    beside.write_bytes(b"beside")
    from_folder(folder, tmp_path / "one")
    assert (tmp_path / "one" / beside.name).read_bytes() == b"beside"
    own = tmp_path / "own.safetensors"
    own.write_bytes(b"own")
    from_folder(folder, tmp_path / "two", weights=own)
    assert (tmp_path / "two" / beside.name).read_bytes() == b"own"
    with pytest.raises(CaptionerError, match=r"absent\.safetensors: there is no such file"):
        from_folder(folder, tmp_path / "three", weights=tmp_path / "absent.safetensors")


def test_a_missing_shard_is_noticed(folder: Path, tmp_path: Path) -> None:
    (folder / "photos" / "coco-val-000.tar").unlink()
    with pytest.raises(CaptionerError, match=r"captions_val\.json: 3 of its photos are not in"):
        from_folder(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_missing_captions_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "captions_test.json").unlink()
    from_folder(folder, tmp_path / "out")  # one can train without
    (folder / "captions_val.json").unlink()
    with pytest.raises(CaptionerError, match=r"captions_val\.json: there is no such file"):
        from_folder(folder, tmp_path / "out")


def test_no_photos_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match="has no folder photos"):
        from_folder(tmp_path / "nothing", tmp_path / "out")


def test_the_output_itself_is_refused(folder: Path) -> None:
    with pytest.raises(CaptionerError, match="is the output itself"):
        from_folder(folder, folder)


def test_it_does_not_mix_with_the_other_scripts(
    prepared: Path, folder: Path, tmp_path: Path
) -> None:
    before = (prepared / "captions_train.json").read_bytes()
    with pytest.raises(CaptionerError, match=r"was filled by data\.prepare_coco"):
        from_folder(folder, prepared)
    assert (prepared / "captions_train.json").read_bytes() == before
    flickr = make_flickr(tmp_path / "flickr8k", "flickr8k", official=True)
    with pytest.raises(CaptionerError, match=r"was filled by data\.from_folder"):
        prepare_flickr("flickr8k", flickr, folder)


def test_after_the_scripts_only_the_weights_are_absent(prepared: Path) -> None:
    assert absent(prepared) == {"efficientnet_lite3.safetensors"}


def test_the_developers_data(shared: Path, tmp_path: Path) -> None:
    from_folder(shared / "data", tmp_path)
    assert absent(tmp_path) == set()
