"""Pictures of attention, one a photo, under names of their own."""

import os
from pathlib import Path

import pytest

from captioner.batch.result import PhotoResult
from captioner.batch.sinks import Attention
from captioner.errors import CaptionerError
from tests.batch import process
from tests.batch.fakes import sentence


def test_attention_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CaptionerError, match="file: cannot be written"):
        Attention(tmp_path / "file")


def test_photos_of_one_name_get_pictures_of_two_names(tmp_path: Path) -> None:
    from PIL import Image

    sink = Attention(tmp_path / "pictures")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (60, 40), "white").save(tmp_path / folder / "x.jpg")
        sink.write(PhotoResult(str(tmp_path / folder / "x.jpg"), sentence("a", "wall")))
    written = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in written] == ["x-2.attention.png", "x.attention.png"]
    for path in written:
        with Image.open(path) as picture:
            picture.load()


def test_pictures_that_are_there_are_replaced_if_asked_for(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (60, 40), "white").save(tmp_path / name / "x.bmp")
    mine = tmp_path / "maps" / "x-2.attention.png"
    mine.parent.mkdir()
    mine.write_text("Mine.")
    (tmp_path / "list.txt").write_text("a/x.bmp\nb/x.bmp\n")
    arguments = ["caption", "a", "b", "--attention", "maps"]
    for listed in (arguments, ["caption", "list.txt", "--attention", "maps"]):
        assert process.run([*listed, "-o", "rows.csv"], tmp_path) == 1
        said = (tmp_path / "said.txt").read_text()
        assert said.startswith("captioner: maps/x-2.attention.png: is there already; name another")
        assert sorted(os.listdir(tmp_path / "maps")) == [mine.name]
        assert not (tmp_path / "rows.csv").exists()
    assert process.run(["caption", "a", "--attention", "maps"], tmp_path) == 0  # is x.attention.png
    assert process.run(["caption", "a", "--attention", "maps"], tmp_path) == 1
    kept = ["--format", "sidecar"]  # where what is there is kept unless said
    assert process.run([*arguments, *kept], tmp_path) == 0
    numbers = ["x-2", "x-3", "x-4", "x"]
    assert sorted(os.listdir(tmp_path / "maps")) == [f"{name}.attention.png" for name in numbers]
    assert mine.read_text() == "Mine."
    assert process.run([*arguments, "--overwrite", "-o", "rows.csv"], tmp_path) == 0
    assert mine.read_bytes().startswith(b"\x89PNG")


def test_photos_of_long_names_get_pictures_too(tmp_path: Path) -> None:
    from PIL import Image

    sink = Attention(tmp_path / "pictures")
    for name in ("ü" * 120, "ü" * 121):
        Image.new("RGB", (60, 40), "white").save(tmp_path / f"{name}.jpg")
        sink.write(PhotoResult(str(tmp_path / f"{name}.jpg"), sentence("a", "wall")))
    assert len(list((tmp_path / "pictures").glob("*.attention.png"))) == 2
