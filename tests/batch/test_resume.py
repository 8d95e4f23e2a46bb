"""Runs that are killed, stopped and starved end, resumed, as if nothing had happened."""

import errno
import fcntl
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from captioner.batch.job import way_on
from captioner.options import Options
from tests.batch import process
from tests.waiting import wait_for

EXTENSIONS = ("text", "jsonl", "json", "csv", "parquet", "coco")


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 photos in ten folders, every hundredth of them broken."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(2000):
        folder = root / "album" / f"{number // 200}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number:04}.bmp"
        Image.new("RGB", (1 + number % 40, 1 + number // 40)).save(path)
        if number % 100 == 50:
            path.write_bytes(path.read_bytes()[:20])
    return root


def kill_and_resume(
    arguments: list[object],
    folder: Path,
    journal: Path,
    kills: int,
    seconds: float,
    most: int,
    seed: int,
) -> int | None:
    """Kill the command at random moments of its work, then let it come to its end.

    It does `most` photos in time each time, and then few: there is always something left to kill.
    """
    dice = random.Random(seed)
    for _ in range(kills):
        before = journal.stat().st_size if journal.exists() else -1
        victim = process.start([*arguments, "--resume"], folder, seconds=seconds, most=most)
        wait_for(lambda before=before: journal.exists() and journal.stat().st_size > before)  # type: ignore[misc]
        time.sleep(dice.uniform(0, 0.25))
        assert victim.is_alive(), "there was nothing left to kill"
        victim.kill()
        victim.join()
        assert victim.exitcode == -signal.SIGKILL
    return process.run([*arguments, "--resume"], folder)


def test_ten_kills_in_two_thousand_photos_leave_no_trace(album: Path, tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole.jsonl", tmp_path / "pieces.jsonl"
    arguments = ["caption", "album", "--format", "jsonl", "--batch-size", 8, "--output"]
    assert process.run([*arguments, whole], album) == 1
    journal = tmp_path / "pieces.jsonl.progress"
    assert kill_and_resume([*arguments, pieces], album, journal, 10, 0.0015, 120, seed=14) == 1
    assert pieces.read_text().splitlines() == whole.read_text().splitlines()
    rows = [json.loads(line) for line in pieces.read_text().splitlines()]
    assert [row["path"] for row in rows] == sorted(
        str(path.relative_to(album)) for path in album.rglob("*.bmp")
    )
    assert sum(row["error"] != "" for row in rows) == 20
    assert sorted(os.listdir(tmp_path)) == ["pieces.jsonl", "whole.jsonl"]
    said = (album / "said.txt").read_text()
    assert "1,980 photos captioned, 20 failed" in said and "of them by earlier runs" in said


@pytest.mark.parametrize("format", EXTENSIONS)
def test_kills_in_every_format(album: Path, tmp_path: Path, format: str) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    arguments = ["caption", "album/3", "album/4", "--format", format, "--output"]
    assert process.run([*arguments, whole], album) == 1
    journal = tmp_path / "pieces.progress"
    assert kill_and_resume([*arguments, pieces], album, journal, 3, 0.004, 70, seed=3) == 1
    assert pieces.read_bytes() == whole.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["pieces", "whole"]


def entries(folder: Path) -> int:
    """How many files and folders are below, also while some of them go."""
    return sum(len(folders) + len(files) for _, folders, files in os.walk(folder))


@pytest.mark.parametrize("format", ["sidecar", "xmp"])
def test_kills_among_sidecars(album: Path, tmp_path: Path, format: str) -> None:
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    arguments = ["caption", "album/3", "--overwrite", "--format", format, "--output"]
    assert process.run([*arguments, whole], album) == 1
    pieces.mkdir()
    (pieces / "0602.txt").write_text("An old text.\n")
    dice = random.Random(5)
    for _ in range(3):
        before = entries(pieces)
        victim = process.start([*arguments, pieces, "--resume"], album, seconds=0.004, most=40)
        wait_for(lambda before=before: entries(pieces) > before + 1)  # type: ignore[misc]
        time.sleep(dice.uniform(0, 0.15))
        victim.kill()
        victim.join()
    assert process.run([*arguments, pieces, "--resume"], album) == 1
    if format == "xmp":
        (pieces / "0602.txt").unlink()

    def contents(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}

    assert contents(pieces) == contents(whole)
    assert len(contents(whole)) == 198


def test_ctrl_c_finishes_the_batch_and_says_how_to_continue(album: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    arguments = ["caption", "album", "--format", "csv", "--batch-size", 7, "--output", output]
    stopped = process.start(arguments, album, seconds=0.003, most=100)
    journal = tmp_path / "rows.csv.progress"
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 1)
    assert stopped.pid is not None
    os.kill(stopped.pid, signal.SIGINT)
    stopped.join()
    assert stopped.exitcode == 130
    said = (album / "said.txt").read_text()
    assert "finishing the current batch" in said
    assert "captioned" in said
    words = " ".join(map(str, arguments))
    assert f"stopped; to continue: captioner {words} --resume" in said
    assert not output.exists()
    rows = (tmp_path / "rows.csv.partial").read_text().splitlines()
    assert len(rows) > 1 and (len(rows) - 1) % 7 == 0
    assert process.run([*arguments, "--resume"], album) == 1
    assert process.run([*arguments[:-1], tmp_path / "whole.csv"], album) == 1
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize("format", ["jsonl", "parquet", "sidecar"])
def test_a_full_disk_is_said_and_survived(album: Path, tmp_path: Path, format: str) -> None:
    """A limit on the size of files stands for it: writing fails just as suddenly."""
    arguments = ["caption", "album/1", "--format", format, "--output"]
    whole, output = tmp_path / "whole", tmp_path / "pieces"
    assert process.run([*arguments, whole], album) == 1
    largest = 1500 if format == "sidecar" else 5000
    assert process.run([*arguments, output], album, largest_file=largest) == 1
    said = (album / "said.txt").read_text()
    assert f"cannot be written: {os.strerror(errno.EFBIG)}" in said
    assert "--resume" in said and "Traceback" not in said
    assert process.run([*arguments, output, "--resume"], album) == 1
    if format == "sidecar":
        assert sorted(os.listdir(output)) == sorted(os.listdir(whole))
    else:
        assert output.read_bytes() == whole.read_bytes()
        assert sorted(os.listdir(tmp_path)) == ["pieces", "whole"]


def interrupted(album: Path, output: Path, *more: object) -> list[object]:
    """The arguments of a run that did some of its work and was killed."""
    arguments: list[object] = ["caption", "album/1", "album/2", "--format", "jsonl", *more]
    arguments += ["--output", output]
    victim = process.start(arguments, album, seconds=0.004, most=100)
    journal = Path(f"{output}.progress")
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 4)
    victim.kill()
    victim.join()
    return arguments


def test_an_interrupted_run_is_not_thrown_away_by_mistake(album: Path, tmp_path: Path) -> None:
    arguments = interrupted(album, tmp_path / "rows")
    before, usual = (tmp_path / "rows.partial").read_bytes(), Options().beam
    assert process.run(arguments, album) == 1
    said = (album / "said.txt").read_text()
    assert "--resume" in said and "--overwrite" in said
    assert (tmp_path / "rows.partial").read_bytes() == before
    assert process.run([*arguments, "--resume", "--beam", usual + 1], album) == 1
    said = (album / "said.txt").read_text()
    assert f"other settings: beam {usual} (now {usual + 1})" in said
    assert (tmp_path / "rows.partial").read_bytes() == before
    (tmp_path / "rows.partial").write_bytes(before[:10])
    assert process.run([*arguments, "--resume"], album) == 1
    assert "cannot be resumed" in (album / "said.txt").read_text()
    assert process.run([*arguments, "--overwrite"], album) == 1
    assert len((tmp_path / "rows").read_text().splitlines()) == 400


def test_a_complete_run_is_not_done_again(album: Path, tmp_path: Path) -> None:
    arguments = ["caption", "album/0", "--output", tmp_path / "rows", "--resume"]
    assert process.run(arguments, album) == 1
    (tmp_path / "rows").write_text("mine")
    assert process.run(arguments, album) == 0
    assert "is complete" in (album / "said.txt").read_text()
    assert (tmp_path / "rows").read_text() == "mine"


def test_two_runs_do_not_write_one_file(album: Path, tmp_path: Path) -> None:
    arguments = interrupted(album, tmp_path / "rows")
    with open(tmp_path / "rows.progress", "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert process.run([*arguments, "--resume"], album) == 1
    assert "another run is at work" in (album / "said.txt").read_text()
    assert process.run([*arguments, "--resume"], album) == 1


def test_a_torn_end_of_journal_and_output_is_done_again(album: Path, tmp_path: Path) -> None:
    """What a power cut leaves: half a line, or zeros where a line was to be."""
    assert process.run([*interrupted(album, tmp_path / "w"), "--resume"], album) == 1
    whole = (tmp_path / "w").read_bytes()
    for n, tear in enumerate((b'{"position": 99', b"\0" * 300, b'{"position": 1, "counts"\n')):
        rows = tmp_path / f"rows{n}"
        arguments = interrupted(album, rows)
        for unfinished in ("partial", "progress"):
            with open(f"{rows}.{unfinished}", "ab") as file:
                file.write(tear)
        assert process.run([*arguments, "--resume"], album) == 1
        assert rows.read_bytes() == whole


def test_photos_that_came_and_went_between(tmp_path: Path) -> None:
    """None twice, none missing, though the folder is another one when the run goes on."""
    folder = tmp_path / "album" / "1"
    folder.mkdir(parents=True)
    (tmp_path / "album" / "2").mkdir()
    for number in range(300):
        Image.new("RGB", (1 + number % 40, 1 + number // 40)).save(folder / f"{number:04}.bmp")
    arguments = interrupted(tmp_path, tmp_path / "rows", "--batch-size", 5)
    rows = (tmp_path / "rows.partial").read_text().splitlines()
    done = [json.loads(row)["path"] for row in rows]
    assert len(done) > 8
    Path(tmp_path / done[3]).unlink()
    for name in ("0000a.bmp", "0150a.bmp", "9999.bmp"):
        Image.new("RGB", (7, 7)).save(folder / name)
    assert process.run([*arguments, "--resume"], tmp_path) == 1  # album/2 is empty
    paths = [json.loads(row)["path"] for row in (tmp_path / "rows").read_text().splitlines()]
    there = {str(path.relative_to(tmp_path)) for path in folder.iterdir()}
    assert sorted(paths) == sorted(there | {done[3], "album/2"})


def test_a_photo_named_twice_has_two_rows_however_often_killed(tmp_path: Path) -> None:
    names = []
    for number in range(150):
        name = f"{number}.bmp"
        Image.new("RGB", (1 + number % 40, 1 + number // 40)).save(tmp_path / name)
        names += [name, name]
    (tmp_path / "list.txt").write_text("\n".join(names * 2))
    arguments: list[object] = ["caption", "list.txt", "--output"]
    assert process.run([*arguments, "whole"], tmp_path) == 0
    journal = tmp_path / "pieces.progress"
    kill_and_resume([*arguments, "pieces"], tmp_path, journal, 2, 0.003, 100, seed=1)
    assert (tmp_path / "pieces").read_bytes() == (tmp_path / "whole").read_bytes()
    assert len((tmp_path / "whole").read_text().splitlines()) == 600


SCORED = ("jsonl", "json", "csv", "parquet")  # a score may differ from run to run


def test_skip_existing_adds_what_is_new(tmp_path: Path) -> None:
    names = [f"{number}.bmp" for number in range(6)]
    for number, name in enumerate(names):
        Image.new("RGB", (1 + number, 1)).save(tmp_path / name)
    (tmp_path / "3.bmp").write_bytes(b"")
    for format in EXTENSIONS:
        output = tmp_path / f"rows.{format}"
        chosen: list[Any] = ["caption", "--format", format]
        if format in SCORED:
            chosen += ["--fields", "caption,words,error"]
        arguments = [*chosen, "--skip-existing", "-o", output]
        assert process.run([*arguments, *names[:4]], tmp_path) == 1
        Image.new("RGB", (4, 1)).save(tmp_path / "3.bmp")
        assert process.run([*arguments, *names], tmp_path) == 0
        assert "3 photos captioned, 3 skipped" in (tmp_path / "said.txt").read_text()
        (tmp_path / "3.bmp").write_bytes(b"")
        anew = tmp_path / f"anew.{format}"
        Image.new("RGB", (4, 1)).save(tmp_path / "3.bmp")
        assert process.run([*chosen, "-o", anew, *names], tmp_path) == 0
        (tmp_path / "3.bmp").write_bytes(b"")
        assert output.read_bytes() == anew.read_bytes()


def test_the_way_on_leaves_out_what_a_resumed_run_does_not_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = "captioner caption a --attention maps -o b.csv --resume --attention=maps"
    monkeypatch.setattr(sys, "argv", given.split())
    assert way_on(True).endswith(": captioner caption a -o b.csv --resume")
