"""Files and folders are there whole or not at all; what is not a plain file is never replaced."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from captioner.errors import CaptionerError
from captioner.files import drafts, whole_file, whole_folder, whole_path


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
    assert os.listdir(tmp_path) == ["folder"]


def test_a_name_may_be_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    with whole_file(path, "w") as file:
        file.write("new")
    assert path.read_text() == "new"


def test_permissions_are_those_that_there_were_or_the_usual_ones(tmp_path: Path) -> None:
    def replace(draft: Path) -> None:  # as safetensors does
        other = draft.with_name("other")
        other.touch(0o600)
        other.rename(draft)

    for path, before in ((tmp_path / "new", None), (tmp_path / "old", 0o640)):
        usual = tmp_path / "usual"
        usual.touch()
        if before:
            path.touch(before)
        with whole_path(path) as draft:
            replace(draft)
        assert stat.S_IMODE(path.stat().st_mode) == before or path.stat().st_mode == (
            usual.stat().st_mode
        )


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    for content in ("old", "new"):
        with whole_folder(folder) as draft:
            (draft / content).touch()
        assert os.listdir(folder) == [content]
    with pytest.raises(KeyboardInterrupt), whole_folder(folder) as draft:
        raise KeyboardInterrupt
    assert os.listdir(folder) == ["new"] and os.listdir(folder.parent) == ["out"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError("disk full")])
def test_the_old_folder_outlasts_a_change_of_place_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException] | OSError
) -> None:
    folder, rename = tmp_path / "out", Path.rename
    folder.mkdir()
    (folder / "step.onnx").write_text("old")
    broken = {"new"}

    def failing(path: Path, target: Path) -> Path:
        new = path.parent.name != "old"
        if target == folder and ("new" if new else "old") in broken:
            raise stop
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises((KeyboardInterrupt, CaptionerError)), whole_folder(folder):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (folder / "step.onnx").read_text() == "old"
    broken.add("old")  # nor can the old one be put back
    with pytest.raises((KeyboardInterrupt, CaptionerError)) as error, whole_folder(folder):
        pass
    (kept,) = tmp_path.glob(".captioner-*/old/out")
    assert (kept / "step.onnx").read_text() == "old"
    assert stop is KeyboardInterrupt or f"what was there is {kept}" in str(error.value)


KILLED = """
import os, signal, sys
from pathlib import Path
from captioner.files import drafts, whole_file, whole_folder
folder = Path(sys.argv[1])
def die(): os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "file":
    with whole_file(folder / "a.txt", "w") as file:
        file.write("half"); file.flush(); die()
elif sys.argv[2] == "folder":
    with whole_folder(folder / "out") as draft:
        (draft / "half").touch(); die()
elif sys.argv[2] == "between":
    rename = Path.rename
    def last(path, target):
        if target == folder / "out": die()
        return rename(path, target)
    Path.rename = last
    with whole_folder(folder / "out") as draft:
        (draft / "new").touch()
elif sys.argv[2] == "alive":
    with drafts(folder) as room:
        (room / "busy").touch()
        print(room, flush=True); sys.stdin.read()
"""


def run(*args: Any) -> list[str]:
    return [sys.executable, "-c", KILLED, *map(str, args)]


@pytest.mark.parametrize("when", ["file", "folder", "between"])
def test_what_a_killed_run_leaves_is_cleared_away_by_the_next(tmp_path: Path, when: str) -> None:
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    killed = subprocess.run(run(tmp_path, when), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".captioner-*"))) == 1
    assert (tmp_path / "a.txt").read_text() == "old"
    with whole_file(tmp_path / "b.txt", "w") as file:
        file.write("next")
    assert sorted(os.listdir(tmp_path)) == ["a.txt", "b.txt", "out"]
    assert os.listdir(tmp_path / "out") == ["old"]


def test_without_locks_files_are_whole_and_nothing_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setattr("captioner.files.fcntl", None)
    subprocess.run(run(tmp_path, "file"), check=False)
    with whole_file(tmp_path / "b.txt", "w") as file:
        file.write("next")
    left = [path.name for path in tmp_path.iterdir()]
    assert len(left) == 2 and "b.txt" in left


def test_what_a_living_run_is_at_work_on_stays(tmp_path: Path) -> None:
    with subprocess.Popen(
        run(tmp_path, "alive"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin and other.stdout
        room = Path(other.stdout.readline().strip())
        with drafts(tmp_path):
            pass
        assert os.listdir(room) == ["busy"]
        other.stdin.close()
    assert not list(tmp_path.iterdir())
