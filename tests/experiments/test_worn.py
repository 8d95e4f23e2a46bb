"""What worn phrases cost: by hand, and written into a checkpoint."""

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

import captioner
from captioner import checkpoint
from experiments.worn import command, listed, people, repriced, shares
from tests.tiny import tiny_model
from tests.training.toy import Album


def test_shares_are_of_sentences_and_of_whole_words() -> None:
    told = [["a", "dog", "a", "dog"], ["a", "dogs"], ["dog"]]
    assert shares(told, ["a dog", "dog", "cat"]) == {
        "a dog": pytest.approx(1 / 3), "dog": pytest.approx(2 / 3), "cat": 0.0
    }  # fmt: skip


def test_what_comes_too_often_becomes_dearer_and_what_is_avoided_cheaper() -> None:
    allowed = dict.fromkeys("abcde", 0.01)
    own = {"a": 0.04, "b": 0.008, "c": 0.001, "d": 0.0, "e": 0.0}
    before = {"a": 0.5, "b": 0.5, "c": 1.5, "d": 0.5, "e": 0.5}
    prices = repriced(before, own, allowed, {"a": 0.5, "e": 0.2})
    assert prices["a"] == pytest.approx(0.5 + 0.4 * math.log(4))
    assert prices["b"] == 0.5
    assert prices["c"] == pytest.approx(1.5 - 0.4 * math.log(10))
    assert prices["d"] == 0
    assert prices["e"] == pytest.approx(0.35), "half-way to what was too low"


def test_people_are_those_of_the_style(tmp_path: Path) -> None:
    """Where the captions say of which; else all of them."""
    sources = {1: "coco", 2: "flickr8k"}
    for known in (True, False):
        images = [
            {"id": i, "file_name": f"{i}.jpg"} | ({"source": s} if known else {})
            for i, s in sources.items()
        ]
        told = [{"id": i, "image_id": i, "caption": f"A {s}."} for i, s in sources.items()]
        file = tmp_path / f"{known}.json"
        file.write_text(json.dumps({"images": images, "annotations": told}))
        said = [" ".join(words) for words in people(file, "flickr8k")]
        assert said == ["a flickr8k"] if known else len(said) == 2
        nobody = list(people(file, "flickr30k"))
        assert nobody == [] if known else len(nobody) == 2


def test_photos_of_a_list_are_those_of_the_style_that_it_tells_of(tmp_path: Path) -> None:
    sources = ["coco", "flickr8k", "coco", "", "coco"]
    images = [{"id": i, "file_name": f"{i}.jpg", "source": s} for i, s in enumerate(sources)]
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"images": images, "annotations": []}))
    wanted = [("coco", 3, "0 2 3"), ("coco", 9, "0 2 3 4"), ("flickr8k", 9, "1 3")]
    for style, most, names in wanted:
        found = listed(tmp_path, file, style, most)
        assert found == [tmp_path / f"{name}.jpg" for name in names.split()]


def test_a_price_is_noted_and_heeded(tmp_path: Path) -> None:
    """What a model says of most photos becomes dear, and is said less often."""
    file, album = tmp_path / "tiny.safetensors", Album(tmp_path)
    checkpoint.save(tiny_model(), file)
    photos = tmp_path / "photos"
    [*before] = captioner.load(file).caption_many(sorted(photos.iterdir()))
    worn = " ".join(before[0].words[:2])
    args = ["price", str(file), str(album.train), str(photos), worn, "--style", "coco"]
    args += ["--also", "flickr8k"]
    result = CliRunner().invoke(command, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    noted = json.loads(checkpoint.read(file)[1]["worn"])
    assert noted["coco"][worn] > 1 and noted["flickr8k"] == noted["coco"]
    [*after] = captioner.load(file).caption_many(sorted(photos.iterdir()))
    own, left = ([worn in " ".join(c.words) for c in found] for found in (before, after))
    assert sum(own) > len(own) / 2 and sum(left) < 0.7 * sum(own)
