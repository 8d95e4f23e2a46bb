"""What people keep with their photos, and the words that it adds to a vocabulary."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from PIL import Image

from captioner import CaptionerError
from captioner.batch.xmp import merged
from captioner.teaching.pairs import read_pairs
from captioner.teaching.photos import groups_of, hold_out
from captioner.teaching.unpack import unpack_archive
from captioner.teaching.words import grow
from captioner.vocabulary import Vocabulary
from tests.training.names import picture

KNOWN = Vocabulary([",", "a", "the", "dog", "rose", "on", "with", "and"], ["coco"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "c"):
        picture("red").save(tmp_path / f"{name}.png")
    return tmp_path


def read(*inputs: Path) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Captions by the photo's name, and what was told."""
    told: list[str] = []
    with TemporaryDirectory() as room:
        pairs = read_pairs([str(each) for each in inputs], Path(room), told.append)
    return {Path(pair.name).name: pair.captions for pair in pairs}, told


def test_files_beside_the_photos(folder: Path) -> None:
    (folder / "a.txt").write_text("Rex sleeps.\n\nA dog.\n", encoding="utf-16")
    (folder / "b.png.caption").write_text("In Zürich.", encoding="utf-8")
    (folder / "c.xmp").write_bytes(merged(b"", "By a person."))
    found, told = read(folder)
    assert found == {
        "a.png": ("Rex sleeps.", "A dog."),
        "b.png": ("In Zürich.",),
        "c.png": ("By a person.",),
    }
    assert told == []
    (folder / "a.txt").write_bytes(b"\xff\xd8\xff\xe0 no text")
    with pytest.raises(CaptionerError, match=r"a\.txt: is no text"):
        read(folder)


@pytest.mark.parametrize("kind", ["metadata.csv", "ours.csv", "ours.jsonl", "coco.json"])
def test_lists_of_captions(folder: Path, kind: str) -> None:
    rows = [("a.png", "Rex sleeps."), ("b.png", "A café."), ("lost.png", "Nobody.")]
    column = "path" if kind.startswith("ours") else "file_name"
    if kind == "coco.json":
        images = [{"id": i, "file_name": name} for i, (name, _) in enumerate(rows)]
        texts = [{"image_id": i, "caption": text} for i, (_, text) in enumerate(rows)]
        content = json.dumps({"images": images, "annotations": texts})
    elif kind.endswith("jsonl"):
        content = "\n".join(json.dumps({column: name, "caption": text}) for name, text in rows)
    else:
        content = f"{column},caption\n" + "\n".join(map(",".join, rows))
    (folder / kind).write_text(content, encoding="utf-8")
    found, told = read(folder) if kind == "metadata.csv" else read(folder / kind)
    assert found == {"a.png": ("Rex sleeps.",), "b.png": ("A café.",)}
    assert any("captions without a photo" in line and "lost.png" in line for line in told)
    assert any("photos without a caption" in line for line in told) == (kind == "metadata.csv")


def test_lists_that_contradict_each_other_are_said_and_learnt_together(folder: Path) -> None:
    (folder / "one.csv").write_text("path,caption\na.png,Rex.\nb.png,A café.\n")
    (folder / "two.csv").write_text("path,caption\na.png,Bello.\nb.png,A café.\n")
    found, told = read(folder / "one.csv", folder / "two.csv")
    assert found == {"a.png": ("Rex.", "Bello."), "b.png": ("A café.",)}
    [said] = [line for line in told if "different things" in line]
    assert "(1): " in said and "a.png" in said


def test_empty_files_are_photos_without_a_caption(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text(" \n")
    (folder / "c.txt").write_text("Rex.")
    found, told = read(folder)
    assert found == {"c.png": ("Rex.",)}
    assert len(told) == 1 and "photos without a caption, left out (2)" in told[0]


def test_photos_in_an_archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.write(folder / "a.png", "inside/a.png")
    (folder / "other").mkdir()
    table = folder / "other" / "table.csv"
    table.write_text("image,caption\ninside/a.png,Rex.\n")
    assert read(folder / "photos.zip", table)[0] == {"a.png": ("Rex.",)}


def test_an_archive_stands_for_what_a_folder_does(folder: Path) -> None:
    """A WebDataset shard, a packed folder of Hugging Face's, and a name that leads out of it."""
    with tarfile.open(folder / "shard.tar", "w") as shard:
        for name, text in (("a", "Rex."), ("b", "A café.")):
            shard.add(folder / f"{name}.png", f"{name}.png")
            (folder / "text").write_text(text, "utf-8")
            shard.add(folder / "text", f"{name}.txt")
        shard.add(folder / "text", "../../../stray.txt")
    found, told = read(folder / "shard.tar")
    assert found == {"a.png": ("Rex.",), "b.png": ("A café.",)}
    assert len(told) == 1 and "captions without a photo" in told[0] and "stray.txt" in told[0]
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        archive.write(folder / "a.png", "in/a.png")
        archive.writestr("in/metadata.jsonl", '{"file_name": "a.png", "text": "Rex."}')
    assert read(folder / "photos.zip")[0] == {"a.png": ("Rex.",)}


def test_photos_within_a_table(folder: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {
        "image": [{"bytes": (folder / "a.png").read_bytes(), "path": None}] * 2
        + [{"bytes": None, "path": None}],
        "caption": [["Rex.", "A dog."], [], ["Nobody."]],
    }
    parquet.write_table(pyarrow.table(table), folder / "table.parquet")
    found, told = read(folder / "table.parquet")
    assert found == {"table.parquet#0": ("Rex.", "A dog.")}
    assert "photos without a caption" in told[1] and "table.parquet#1" in told[1]
    assert "captions without a photo" in told[0] and "table.parquet#2" in told[0]


def test_words_are_written_as_within_sentences() -> None:
    captions = [
        "Sleeping dog, Rex with a café.",
        "The dog and REX!",
        "Sleeping on the Café and Rex",
        "A dog with Rex and a café, sleeping",
        "Rose and the dog with a rose",
        "Only Once Here In Titles And Nowhere Else",
        "Schönbrunn",
    ]
    growth = grow(captions, KNOWN, 2)
    assert growth.new == {"Rex": 4, "café": 3, "sleeping": 3}
    assert growth.dropped["Schönbrunn"] == 1 and "titles" in growth.dropped
    assert growth.tokens("The dog: rex, SLEEPING.") == ("the", "dog", "Rex", ",", "sleeping")
    assert growth.tokens("A Rose") == ("a", "rose")


def test_numbers_stay_as_they_are_written() -> None:
    captions = [
        "Vase X-200 of 1889: a dog, 19.99 at 10:30.",
        "A vase X-200 for 19.99, 1/2 at 10:30!",
    ]
    growth = grow(captions, KNOWN, 2)
    assert growth.new == {"10:30": 2, "19.99": 2, "X-200": 2, "at": 2, "vase": 2}
    assert {"1889", "1/2"} <= growth.dropped.keys()
    assert Vocabulary([*KNOWN.words[4:], "19.99"], ["mine"]).tokenize("a 19.99.") == ["a", "19.99"]


def test_a_name_that_is_a_known_word_too() -> None:
    growth = grow(["A dog with Rose", "The dog and Rose", "On Rose a dog"], KNOWN, 2)
    assert growth.new == {"Rose": 3}


def test_a_vocabulary_reads_its_own_spelling() -> None:
    taught = Vocabulary([*KNOWN.words[4:], "Rex", "Schönbrunn"], ["mine", "coco"])
    assert taught.tokenize("The REX, on schönbrunn.") == ["the", "Rex", ",", "on", "Schönbrunn"]
    assert KNOWN.tokenize("The REX") == ["the", "rex"]


def test_photos_that_show_the_same_stay_together() -> None:
    rng = np.random.default_rng(0)
    different = [
        Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).resize((90, 90), 3)
        for _ in range(20)
    ]
    again = [image.resize((70, 80)) for image in different[:3]]
    thumbnails = np.array(
        [np.asarray(i.resize((9, 9), Image.Resampling.BOX), np.float32) for i in different + again]
    )
    groups = groups_of(thumbnails)
    assert sorted(map(sorted, groups)) == [[0, 20], [1, 21], [2, 22], *([i] for i in range(3, 20))]
    for seed in range(5):
        held = set(hold_out(groups, seed))
        assert 4 <= len(held) <= 6
        assert all(set(group) <= held or not set(group) & held for group in groups)
    assert hold_out([list(range(20))], 0) == []


def test_a_link_to_what_an_archive_lacks_is_told(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("a.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "gone.jpg"
        archive.addfile(link)
    with pytest.raises(CaptionerError, match=r"a\.jpg in it is damaged"):
        unpack_archive(tmp_path / "a.tar", tmp_path / "room")
