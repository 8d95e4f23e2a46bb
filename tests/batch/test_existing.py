"""Outputs that are there: kept, added to or replaced as was asked for, and never unasked."""

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.batch import process
from tests.batch.test_resume import EXTENSIONS, SCORED

Flags = tuple[str, ...]
WAYS: tuple[Flags, ...] = ((), ("--skip-existing",), ("--overwrite",))
NEW, OLD = "by 2", "by 1"


def photos(folder: Path, *numbers: int, height: int = 2) -> list[str]:
    for number in numbers:
        Image.new("RGB", (1 + number, height)).save(folder / f"{number}.bmp")
    return [f"{number}.bmp" for number in numbers]


def stopped(folder: Path, *chosen: str, way: Flags = ()) -> list[str]:
    """The arguments of a run that stopped at the fourth of six photos, and now could do it.

    Two of them had a caption, made when the photos were one pixel high.
    """
    process.run([*chosen, *photos(folder, 0, 1, height=1)], folder)
    names = photos(folder, 0, 1, 2, 3, 4, 5)
    (folder / "3.bmp").write_bytes(b"")
    arguments = [*chosen, *names, "--batch-size", "1"]
    assert process.run([*arguments, "--fail-fast", *way], folder) == 1
    photos(folder, 3)
    return arguments


def captioned(folder: Path, *chosen: str) -> list[str]:
    """The end of each caption that is there, in order."""
    files = [folder / "rows"] if "-o" in chosen else sorted(folder.glob("?.txt"))
    return [line[-5:-1] for path in files for line in path.read_text().splitlines()]


ROWS, SIDECARS = ("-o", "rows"), ("--format", "sidecar")
BEGUN = [(chosen, way) for chosen in (ROWS, SIDECARS) for way in WAYS]
BEGUN.remove((ROWS, ()))  # a file that is there is replaced by nobody who does not say so


@pytest.mark.parametrize(("chosen", "begun"), BEGUN)
@pytest.mark.parametrize("resumed", WAYS)
def test_a_run_is_resumed_as_it_began(
    tmp_path: Path, begun: Flags, resumed: Flags, chosen: Flags
) -> None:
    arguments = stopped(tmp_path, "caption", *chosen, way=begun)
    keeps = ["--skip-existing" in way or ("-o" not in chosen and not way) for way in WAYS]
    keeping, kept = keeps[WAYS.index(begun)], keeps[WAYS.index(resumed)]
    before = captioned(tmp_path, *chosen)
    code = process.run([*arguments, *resumed, "--resume"], tmp_path)
    said = (tmp_path / "said.txt").read_text()
    if keeping == kept:
        assert code == 0, said
        assert captioned(tmp_path, *chosen) == [OLD if keeping else NEW] * 2 + [NEW] * 4
        assert not list(tmp_path.glob("*.progress"))
    else:
        assert code == 1 and f"other settings: skip_existing {keeping} (now {kept})" in said
        assert captioned(tmp_path, *chosen) == before


@pytest.mark.parametrize("format", EXTENSIONS)
def test_what_is_kept_is_kept_once_however_the_run_goes_on(tmp_path: Path, format: str) -> None:
    chosen = ["caption", "--format", format, "-o", "rows"]
    if format in SCORED:
        chosen[3:3] = ["--fields", "caption,words,error"]
    arguments = stopped(tmp_path, *chosen, way=("--skip-existing",))
    assert process.run([*arguments, "--skip-existing", "--resume"], tmp_path) == 0
    assert "4 photos captioned, 2 skipped" in (tmp_path / "said.txt").read_text()
    names = photos(tmp_path, 0, 1, height=1) + photos(tmp_path, 2, 3, 4, 5)
    assert process.run([*chosen[:-1], "anew", *names], tmp_path) == 0
    assert (tmp_path / "rows").read_bytes() == (tmp_path / "anew").read_bytes()


def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Mine.\n")
    (name,) = photos(tmp_path, 0)
    assert process.run(["caption", name, "-o", "notes.txt"], tmp_path) == 1
    said = (tmp_path / "said.txt").read_text()
    assert said.startswith("captioner: notes.txt: is there already; --skip-existing")
    assert process.run(["caption", name, "-o", "notes.txt", "--resume"], tmp_path) == 0
    (tmp_path / "notes.txt.partial").write_text("")  # that somebody's run left, its journal gone
    assert process.run(["caption", name, "-o", "notes.txt", "--resume"], tmp_path) == 0
    assert (tmp_path / "notes.txt").read_text() == "Mine.\n"
    (tmp_path / "notes.txt").write_text("")
    assert process.run(["caption", name, "-o", "notes.txt"], tmp_path) == 0
    assert (tmp_path / "notes.txt").read_text() == f"{name}\tA photo 1 by 2.\n"


@pytest.mark.parametrize("format", EXTENSIONS)
@pytest.mark.parametrize("way", [*WAYS, ("--resume",)])
def test_where_there_are_no_photos_nothing_is_left(tmp_path: Path, format: str, way: Flags) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["caption", "empty", "--format", format, "-o", "rows", *way]
    for _ in range(2):
        assert process.run(arguments, tmp_path) == 1
        assert "empty: no pictures in this folder" in (tmp_path / "said.txt").read_text()
        assert sorted(os.listdir(tmp_path)) == ["empty", "said.txt"]
    photos(tmp_path / "empty", 0)
    assert process.run(arguments, tmp_path) == 0
    before = (tmp_path / "rows").read_bytes()
    (tmp_path / "empty" / "0.bmp").unlink()
    process.run(arguments, tmp_path)
    assert (tmp_path / "rows").read_bytes() == before


@pytest.mark.parametrize(
    ("way", "rows"),
    [((), [OLD] * 2), (("--skip-existing",), [OLD] * 2 + [NEW]), (("--overwrite",), [NEW] * 3)],
)
def test_where_nothing_was_interrupted_resume_begins(
    tmp_path: Path, way: Flags, rows: list[str]
) -> None:
    """A finished file stays, unless the command line says what is to become of it."""
    arguments = ["caption", "-o", "rows", "--resume", *way]
    assert process.run([*arguments, *photos(tmp_path, 0, 1, height=1)], tmp_path) == 0
    assert captioned(tmp_path, *arguments) == [OLD] * 2
    assert process.run([*arguments, *photos(tmp_path, 0, 1, 2)], tmp_path) == 0
    assert captioned(tmp_path, *arguments) == rows
    assert ("is complete" in (tmp_path / "said.txt").read_text()) == (not way)


def test_a_run_that_was_killed_as_it_ended_is_complete(tmp_path: Path) -> None:
    arguments = stopped(tmp_path, "caption", "-o", "rows", way=("--skip-existing",))
    arguments += ["--skip-existing", "--resume"]
    journal = tmp_path / "rows.progress"
    begun = journal.read_text()
    assert process.run(arguments, tmp_path) == 0
    journal.write_text(begun + '{"position": 9, "counts": {}, "done": "", "complete": true}\n')
    assert process.run(arguments, tmp_path) == 0
    assert "is complete" in (tmp_path / "said.txt").read_text() and not journal.exists()


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_skip_existing_tries_failures_again_whatever_the_fields(
    tmp_path: Path, format: str
) -> None:
    names = photos(tmp_path, 0, 1)
    arguments = ["caption", *names, "--format", format, "-o", "rows", "--skip-existing"]
    for number, fields in enumerate(("caption,sha256", "words", "score,size")):
        (tmp_path / "0.bmp").write_bytes(b"")
        arguments[-2] = f"rows{number}"
        assert process.run([*arguments, "--fields", fields], tmp_path) == 1
        photos(tmp_path, 0)
        assert process.run([*arguments, "--fields", fields], tmp_path) == 0
        assert "1 photo captioned, 1 skipped" in (tmp_path / "said.txt").read_text()


def test_text_of_other_fields_is_not_added_to(tmp_path: Path) -> None:
    names = photos(tmp_path, 0, 1)
    arguments = ["caption", *names, "-o", "rows"]
    assert process.run([*arguments, "--fields", "caption,size"], tmp_path) == 0
    before = (tmp_path / "rows").read_bytes()
    for more in ([], ["--top", "3"]):
        assert process.run([*arguments, "--skip-existing", *more], tmp_path) == 1
        said = (tmp_path / "said.txt").read_text()
        assert "rows: line 1 does not hold path, " in said and "Traceback" not in said
    assert sorted(os.listdir(tmp_path)) == [*names, "rows", "said.txt"]
    assert (tmp_path / "rows").read_bytes() == before
