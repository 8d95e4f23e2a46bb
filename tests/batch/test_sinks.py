"""Files are there whole or not at all; what is not a plain file is never replaced."""

import os
import stat
from pathlib import Path

import pytest

from captioner.batch.files import whole_file
from captioner.batch.result import Result
from captioner.batch.sinks import Attention
from captioner.errors import CaptionerError
from tests.batch.fakes import sentence


def test_old_content_stays_until_the_new_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("old")
    with whole_file(path, "w") as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["captions.txt"]


def test_a_failure_midway_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path, "w") as file:
        file.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["captions.txt"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with whole_file(tmp_path / "link.txt", "w") as file:
        file.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(pipe, "w") as file:
        file.write("row")
    assert os.read(reader, 100) == b"row"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["no/such/folder.txt", "folder", "x" * 300])
def test_where_nothing_can_be_written_one_sentence_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(CaptionerError, match="cannot be written"),
        whole_file(tmp_path / name, "w"),
    ):
        raise AssertionError("opened")


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
        sink.write(Result(str(tmp_path / folder / "x.jpg"), sentence("a", "wall")))
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
        sink.write(Result(str(tmp_path / f"{name}.jpg"), sentence("a", "wall")))
    assert len(list((tmp_path / "pictures").glob("*.attention.png"))) == 2
