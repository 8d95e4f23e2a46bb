"""The stream of paths against a plain listing of the same tree."""

import glob
import os
import random
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest

from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.search import Search, told
from captioner.datasets.photos.sources import files
from captioner.datasets.photos.stream import photos
from captioner.errors import ImageError
from captioner.images import IMAGE_SUFFIXES


def paths(*inputs: Path | str) -> list[str]:
    found = list(files(map(str, inputs)))
    assert all(isinstance(photo, str) for photo in found), found
    return [str(photo) for photo in found]


def failures(*inputs: Path | str) -> dict[str, str]:
    return {p.path: p.reason for p in files(map(str, inputs)) if isinstance(p, ImageError)}


def grow(folder: Path, dice: random.Random, depth: int) -> None:
    folder.mkdir()
    for number in range(dice.randint(1, 5)):
        suffix = dice.choice([".jpg", ".PNG", ".webp", ".txt", "", ".jpg.part"])
        hidden = dice.choice(["", "", "."])
        (folder / f"{hidden}{dice.choice('aBcDe')}{number}{suffix}").touch()
    for number in range(dice.randint(0, 3) if depth else 0):
        grow(
            folder / f"{dice.choice(['', '', '.'])}{dice.choice('aBcDe')}-{number}", dice, depth - 1
        )


@pytest.mark.parametrize("seed", range(5))
def test_folder_stands_for_the_pictures_below_it_by_name(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "root"
    grow(root, random.Random(seed), depth=3)
    (root / "one.jpeg").touch()
    expected = sorted(
        (path.relative_to(root).parts, str(path))
        for path in root.rglob("*")
        if path.is_file()
        and path.suffix.lower() in IMAGE_SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    assert paths(root) == [path for _, path in expected]


def test_order_is_that_of_the_inputs_and_a_named_file_is_taken_whatever_its_name(
    tmp_path: Path,
) -> None:
    for name in ("b.jpg", "a.jpg", "scan", ".hidden.jpg"):
        (tmp_path / name).touch()
    inputs = [tmp_path / name for name in ("scan", "b.jpg", ".hidden.jpg", "a.jpg", "b.jpg")]
    assert paths(*inputs) == [str(path) for path in inputs]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "a.jpg").touch()
    (album / "again").symlink_to(album)
    (album / "up").symlink_to(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "b.jpg").touch()
    (album / "linked").symlink_to(elsewhere)
    (album / "itself.jpg").symlink_to("itself.jpg")
    found = paths(album)
    assert str(album / "itself.jpg") in found
    assert found[0] == str(album / "a.jpg")
    assert str(album / "linked" / "b.jpg") in found
    assert len(found) < 10


@pytest.mark.skipif(shutil.which("find") is None, reason="needs find")
def test_links_to_folders_above_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`find -L` sees circles as well, and is older than this."""
    for name in ("album/a.jpg", "album/sub/b.jpg", "album/sub/deep/c.jpg", "beside/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "album/sub/up").symlink_to("../..")
    (tmp_path / "album/sub/deep/album").symlink_to("../..")
    monkeypatch.chdir(tmp_path)
    for folder in ("album", str(tmp_path / "album"), "album/sub", "."):
        find = ["find", "-L", folder, "-name", "*.jpg"]
        found = subprocess.run(find, stdout=-1, stderr=subprocess.DEVNULL, text=True, check=False)
        expected = sorted(found.stdout.splitlines())
        assert expected == sorted(paths(folder)) == paths(f"{folder}/**/*.jpg")
    assert paths("**/*.jpg") == [name.removeprefix("./") for name in paths("./**/*.jpg")]
    assert len(paths("album/**/sub/**/*.jpg")) < 10


def test_what_cannot_be_had_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    os.mkfifo(tmp_path / "pipe")
    names = ["missing.jpg", "empty", "notes", "pipe"]
    reasons = failures(*(tmp_path / name for name in names), "zero\0byte.jpg")
    assert reasons.pop("zero\0byte.jpg")
    by_name = {Path(path).name: reason for path, reason in reasons.items()}
    assert list(by_name) == names
    assert by_name["missing.jpg"].startswith("there is no such file; ")
    assert failures("missing/")["missing/"].startswith("there is no such file or folder; ")
    assert "no pictures" in by_name["empty"] and "no pictures" in by_name["notes"]
    assert by_name["pipe"] == "neither a file nor a folder"


def test_closed_folder_is_named_once_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions do not bind root, so the refusal is put on."""
    for name in ("closed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    scandir = os.scandir

    def refusing(folder: str) -> object:
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    found = list(files([str(tmp_path)]))
    assert isinstance(found[0], ImageError)
    assert (found[0].path, found[0].reason) == (
        str(tmp_path / "closed"),
        "may not be read; check its permissions",
    )
    assert found[1:] == [str(tmp_path / "open" / "a.jpg")]


def test_nothing_is_looked_up_before_it_is_asked_for(tmp_path: Path) -> None:
    def names():  # type: ignore[no-untyped-def]
        yield str(tmp_path / "missing.jpg")
        raise AssertionError("asked for too early")

    assert isinstance(next(files(names())), ImageError)


def test_links_between_folders_do_not_multiply(tmp_path: Path) -> None:
    """Ten folders, each with links to all others: there are 10! ways through them."""
    folders = [tmp_path / f"{number}" for number in range(10)]
    for folder in folders:
        folder.mkdir()
        (folder / "a.jpg").touch()
        for other in folders:
            (folder / f"to-{other.name}").symlink_to(other)
    found = paths(tmp_path)
    assert {str(folder / "a.jpg") for folder in folders} <= set(found)
    assert len(found) <= 20


def test_a_pattern_stands_for_what_it_matches(tmp_path: Path) -> None:
    grow(tmp_path / "root", random.Random(7), depth=3)
    for name in (
        "shard-0.tar",
        "list.csv",
        "notes.txt",
        "odd[1].jpg",
        "root/a/b.jpg",
        "root/c.gif",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for pattern in ("root/**/*.jpg", "root/*", "*", "**", "?hard-[0-9].tar"):
        expected = [
            name
            for name in sorted(glob.glob(str(tmp_path / pattern), recursive=True))
            if os.path.isfile(name)
            and os.path.splitext(name)[1].lower() in {*IMAGE_SUFFIXES, ".tar", ".csv"}
        ]
        assert expected and paths(tmp_path / pattern) == expected
    assert paths(tmp_path / "odd[1].jpg") == [str(tmp_path / "odd[1].jpg")]
    assert list(failures(tmp_path / "*.gif").values()) == [
        "no pictures, archives or tables of such a name"
    ]


def test_what_is_left_out_of_folders_is_counted_by_kind(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.CR2", "sub/b.cr2", "b.psd", "c.tar.gz", "README", ".hidden.nef"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    search = Search()
    assert list(files([str(tmp_path / "in")], search)) == [str(tmp_path / "in/a.jpg")]
    assert search.left_out == {".cr2": 2, ".psd": 1, ".tar.gz": 1, "no ending": 1}
    assert told(search.left_out).startswith("2 .cr2, 1 ") and "1 no ending" in told(search.left_out)
    assert told(search.left_out, most=1) == "2 .cr2, 3 of other kinds"
    search = Search()
    assert len(list(files([str(tmp_path / "in/*")], search))) == 2  # an archive is opened
    assert search.left_out == {".cr2": 1, ".psd": 1, "no ending": 1}


def test_a_folder_of_archives_says_how_to_open_them(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet", "c.txt"):
        (tmp_path / name).touch()
    reason = failures(tmp_path)[str(tmp_path)]
    assert reason.startswith("no pictures in this folder (but 2 .parquet, 1 .txt); name those")
    assert reason.endswith("folder/*.parquet")


def test_exclude_takes_files_and_folders_by_name_and_by_the_end_of_their_path(
    tmp_path: Path,
) -> None:
    names = [
        *("a.jpg", "a-masklabel.png", "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", "__MACOSX/a.jpg"),
        *("Thumbs.db", "x/thumbs/a.jpg", "y/thumbs/a.jpg", "raw/b.JPG", "x/c.attention.png"),
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def found(*exclude: str) -> list[str]:
        search = Search(exclude)
        everything = files([str(tmp_path)], search)
        assert not search.left_out  # what is excluded is wanted out, and not told of
        return [str(Path(x).relative_to(tmp_path)) for x in everything if isinstance(x, str)]

    assert found() == ["a.jpg", "raw/b.JPG", "x/thumbs/a.jpg", "y/thumbs/a.jpg"]
    assert found("RAW", "x/thumbs") == ["a.jpg", "y/thumbs/a.jpg"]
    assert found("thumbs/", "*.JPG") == []
    eadir = tmp_path / "@eaDir"  # what someone names is taken
    assert paths(eadir) == [str(eadir / "a.jpg" / "SYNOPHOTO_THUMB_XL.jpg")]
    assert failures(tmp_path / "*/*/SYNO*.jpg")  # what only a pattern matches is nobody's word
    named = tmp_path / "@eaDir" / "*" / "*.jpg"
    assert paths(named) == [str(eadir / "a.jpg" / "SYNOPHOTO_THUMB_XL.jpg")]
    search = Search(["x/*"])
    found = list(files([str(tmp_path / "**/*.jpg")], search))
    assert [str(name).rpartition("/")[2] for name in found] == ["a.jpg", "a.jpg"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_accents_composed_or_not_and_letters_of_any_case_name_one_file(
    tmp_path: Path, form: str
) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    there = unicodedata.normalize(form, "Fotos/Größe.JPG")
    (tmp_path / there).parent.mkdir()
    (tmp_path / there).touch()
    for written in (unicodedata.normalize(other, "Fotos/Größe.JPG"), "fotos/größe.jpg"):
        asked = unicodedata.normalize(other, written)
        assert paths(tmp_path / asked) == [str(tmp_path / there)]
        table = tmp_path / "t.csv"
        table.write_text(f"path\n{asked}\n")
        (photo,) = photos([str(table)])
        assert isinstance(photo, Photo) and photo.content == str(tmp_path / there)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "A.jpg").touch()
    if len(os.listdir(tmp_path)) == 4:  # a file system that cares: both might be meant
        assert failures(tmp_path / "a.JPG")


def test_what_stands_beside_a_photo_under_its_name_is_no_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a shell's `*` names them all; a text by any other name is a list."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "B.PNG", "a.txt", "a.jpg.xmp", "B.caption", "B.PNG.json"):
        Path(name).write_text("A dog.\n")
    Path("list.txt").write_text("a.jpg\n")
    search = Search()
    assert list(files(sorted(os.listdir()), search)) == ["B.PNG", "a.jpg", "a.jpg"]
    kinds = (".caption", ".json", ".txt", ".xmp")
    assert search.left_out == {f"{kind} beside its photo": 1 for kind in kinds}
    assert failures("a.txt") == {"a.txt": "is the text of a photo beside it; name the photo"}
