"""Pictures of attention, one a photo, under names of their own."""

from pathlib import Path

import pytest

from captioner.batch.result import PhotoResult
from captioner.batch.sinks import Attention
from captioner.errors import CaptionerError
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


def test_photos_of_long_names_get_pictures_too(tmp_path: Path) -> None:
    from PIL import Image

    sink = Attention(tmp_path / "pictures")
    for name in ("ü" * 120, "ü" * 121):
        Image.new("RGB", (60, 40), "white").save(tmp_path / f"{name}.jpg")
        sink.write(PhotoResult(str(tmp_path / f"{name}.jpg"), sentence("a", "wall")))
    assert len(list((tmp_path / "pictures").glob("*.attention.png"))) == 2
