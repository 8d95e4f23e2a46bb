"""What goes into training: captions in every format, photos from everywhere."""

import gzip
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioner import CaptionerError, ImageError
from captioner.training.batches import Share
from captioner.training.data import (
    PhotoFiles,
    attribute_targets,
    choose_words,
    read_examples,
    read_sentences,
)
from captioner.training.recipe import DataConfig
from captioner.training.stage import Stage
from tests.training.toy import Album, example


def first_loss(album: Album, output: Path, **changes: Any) -> float:
    stage = Stage(album.recipe(output, **changes), Share())
    return sum(total.item() / count for total, count in stage.loss(0).terms)


def captions_of(album: Album) -> dict[str, list[str]]:
    coco = json.loads(album.train.read_text())
    return {
        image["file_name"]: [
            a["caption"] for a in coco["annotations"] if a["image_id"] == image["id"]
        ]
        for image in coco["images"]
    }


def test_karpathy_and_flickr_files_train_alike(album: Album, tmp_path: Path) -> None:
    """The same captions in COCO's, Karpathy's and Flickr's files give the very same loss."""
    captions = captions_of(album)
    images = [
        {
            "filename": name, "filepath": "photos", "imgid": i,
            "split": "restval" if i % 3 else "train", "sentences": [{"raw": c} for c in own],
        }
        for i, (name, own) in enumerate(captions.items())
    ]  # fmt: skip
    absent = {"filename": "absent.png", "imgid": 999, "split": "test"}
    absent["sentences"] = [{"raw": "A purple zebra."}]
    karpathy = tmp_path / "dataset_coco.json"
    karpathy.write_text(json.dumps({"dataset": "coco", "images": [*images, absent]}))
    flickr = tmp_path / "results.token"
    flickr.write_text(
        "".join(f"{name}#{i}\t{c}\n" for name, own in captions.items() for i, c in enumerate(own))
    )
    expected = first_loss(album, tmp_path / "coco")
    assert first_loss(album, tmp_path / "flickr", train=flickr) == expected
    found = first_loss(album, tmp_path / "karpathy", train=karpathy, photos=[album.folder])
    assert found == expected


def test_a_split_that_is_empty(album: Album, tmp_path: Path) -> None:
    file = tmp_path / "dataset.json"
    image = {"filename": "a.png", "imgid": 1, "split": "test", "sentences": [{"raw": "A dog."}]}
    file.write_text(json.dumps({"dataset": "coco", "images": [image]}))
    with pytest.raises(CaptionerError, match="no photo is of the split train or restval"):
        read_examples(file, ("coco",), ("train", "restval"))


def test_tar_shards_train_alike(album: Album, tmp_path: Path) -> None:
    names = sorted((album.folder / "photos").iterdir())
    shards = tmp_path / "shards"
    shards.mkdir()
    for i in range(3):
        with tarfile.open(shards / f"train-{i}.tar", "w") as archive:
            for photo in names[i::3]:
                archive.add(photo, f"./{photo.name}" if i else photo.name)
    expected = first_loss(album, tmp_path / "folder")
    for places in ([shards], sorted(shards.iterdir())):
        assert first_loss(album, tmp_path / "tar", photos=places, cache=tmp_path) == expected


def test_places_that_hold_no_photos(album: Album, tmp_path: Path) -> None:
    text = tmp_path / "photos.tar"
    text.write_text("no tar\n" * 200)
    packed = tmp_path / "photos.tar.gz"
    packed.write_bytes(gzip.compress(b"0" * 2000))
    for place in (text, packed, tmp_path / "none"):
        with pytest.raises(CaptionerError, match=f"{place}: is no folder and no plain tar file"):
            PhotoFiles([place])
    with pytest.raises(ImageError, match=r"zebra\.png: is in none of the folders and tar files"):
        PhotoFiles([album.folder / "photos"]).read("zebra.png", 8)


def test_a_hard_link_in_a_tar_is_the_photo_it_stands_for(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    (tmp_path / "b.png").hardlink_to(tmp_path / "a.png")
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        for name in ("a.png", "b.png"):
            tar.add(tmp_path / name, f"./{name}")
    files = PhotoFiles([tmp_path / "photos.tar"])
    assert (files.read("b.png", 4) == [255, 0, 0]).all()


def test_photos_are_squeezed_to_a_square(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    image.save(tmp_path / "photo.png")
    pixels = PhotoFiles([tmp_path]).read("photo.png", 16)
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert (pixels[:, :6] == [255, 0, 0]).all() and (pixels[:, 10:] == [0, 0, 255]).all()
    (tmp_path / "bad.png").write_bytes((tmp_path / "photo.png").read_bytes()[:60])
    with pytest.raises(ImageError, match=r"bad\.png: is cut off or damaged"):
        PhotoFiles([tmp_path]).read("bad.png", 16)


def test_styles_are_sources(tmp_path: Path) -> None:
    file = tmp_path / "captions.json"
    images = [
        {"id": i, "file_name": f"{i}.jpg", "source": source}
        for i, source in enumerate(["flickr8k", "coco", "elsewhere"])
    ]
    annotations = [{"image_id": i, "caption": "A dog's ball."} for i in range(3)]
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    examples = read_examples(file, ("coco", "flickr8k"), ("train",))
    assert [e.style for e in examples] == ["flickr8k", "coco", "coco"]
    assert examples[0].captions == (("a", "dog", "'s", "ball"),)
    assert examples[0].raw == ("A dog's ball.",)


def test_sentences_plain_and_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A dog runs.\nTwo cats\n")
    (tmp_path / "b.txt.xz").write_bytes(lzma.compress(b"A man's hat."))
    told = read_sentences({"coco": tmp_path / "a.txt", "flickr8k": tmp_path / "b.txt.xz"})
    assert [(s.style, " ".join(s.words)) for s in told] == [
        ("coco", "a dog runs"), ("coco", "two cats"), ("flickr8k", "a man 's hat"),
    ]  # fmt: skip
    (tmp_path / "c.xz").write_text("not compressed")
    (tmp_path / "d.txt").write_bytes(b"caf\xe9")
    for name in ("c.xz", "d.txt", "none.txt"):
        with pytest.raises(CaptionerError, match=f"{name}: cannot be read as sentences"):
            read_sentences({"coco": tmp_path / name})


def test_words_and_attribute_words() -> None:
    examples = [
        example("1", "a dog runs", "the dog sits"),
        example("2", "a cat sits"),
        example("3", "a dog sits", "a sofa"),
    ]
    config = DataConfig(train=Path("x"), photos=(), minimum_count=2, attribute_minimum=2)
    vocabulary, attributes = choose_words(config, 5, examples, [])
    assert vocabulary.words[4:] == ("a", "dog", "sits")
    assert attributes == ("sits", "dog")  # of three photos, of two; "a" says nothing
    assert choose_words(config, 1, examples, [])[1] == ("sits",)
    targets = attribute_targets(examples, attributes)
    np.testing.assert_allclose(targets, [[0.5, 1], [1, 0], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("caption", "flips"),
    [
        ("a dog on the left of a cat", False),
        ("two men , one to the right", False),
        ("a left-handed batter", False),
        ("the rightmost of three cups", False),
        ("a bright upright lamp in a frightening room", True),
    ],
)
def test_what_may_be_mirrored(caption: str, flips: bool) -> None:
    assert example("1", "a dog", caption).flips is flips
