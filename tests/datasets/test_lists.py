"""Lists of paths, against how they were written."""

import io
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from captioner.datasets.photos.lists import lines
from captioner.datasets.photos.sources import files
from captioner.errors import CaptionerError, ImageError
from tests.datasets.test_sources import failures, paths

LINE = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1)


LISTED = st.lists(
    LINE.filter(lambda name: name == name.strip("\ufeff\"'~#") and name == name.strip()),
    max_size=20,
)


NAMED = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map("./{}.jpg".format),
    max_size=20,
)


@given(names=LISTED, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_list_is_split_as_it_was_joined(
    names: list[str], end: str, last: bool, encoding: str
) -> None:
    names = [name.replace("\\", "/") for name in names]
    text = end.join(names) + (end if last and names else "")
    assert list(lines(io.BytesIO(text.encode(encoding)))) == names


@given(names=NAMED, last=st.booleans())
def test_what_find_print0_writes_is_split_as_it_was_joined(names: list[str], last: bool) -> None:
    text = "\0".join(names) + ("\0" if last and names else "")
    assert list(lines(io.BytesIO(text.encode()))) == names


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize("drops", [3, 1 << 16])
def test_without_a_mark_utf16_is_refused_and_names_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, drops: int
) -> None:
    """Split at its NULs such a list has entries like "." and "/": the folder, the whole disk."""
    monkeypatch.chdir(tmp_path)
    for name in ("private.jpg", "a"):
        (tmp_path / name).touch()

    class Drops(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return super().read1(drops)

    for text in ("./a.jpg\r\n", "a.jpg", "/a/b.jpg\n../c.jpg\n"):
        taken = []
        with pytest.raises(CaptionerError, match="no list of paths but something else"):
            for path in lines(Drops(text.encode(encoding))):
                taken.append(path)
        assert not any(map(os.path.isdir, taken))
    (tmp_path / "list.txt").write_bytes("./a.jpg".encode(encoding))
    assert "save it as UTF-8" in failures("list.txt")["list.txt"]


def test_what_is_no_text_is_no_list(tmp_path: Path) -> None:
    Image.new("RGB", (60, 60)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.txt")
    (tmp_path / "late.txt").write_bytes(b"no.jpg\n" + b"x" * 100_000 + b"\0\n")
    for name in ("a.txt", "late.txt"):
        assert "is no list" in failures(tmp_path / name)[str(tmp_path / name)]


@pytest.mark.parametrize("content", [b"", b"\n \n", "\ufeff".encode("utf-16-le")])
def test_a_list_that_names_nothing_is_told_of(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photos.txt").write_bytes(content)
    assert failures(tmp_path / "photos.txt")[str(tmp_path / "photos.txt")].startswith("is empty")


def test_what_an_editor_and_a_person_leave_in_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    names = ["photos/p1.jpg", "photos/p2.jpg", "# not a comment.jpg", "a\u2028b.jpg", "a\u0085.jpg"]
    for name in names:
        (tmp_path / name).touch()
    listed = """\ufeff# my list\r

photos/p1.jpg\r
  photos/p2.jpg  
"photos/p1.jpg"
'photos/p1.jpg'
~/photos/p2.jpg
photos\\p2.jpg
photos/*.jpg
photos
# not a comment.jpg
a\u2028b.jpg
a\u0085.jpg
"""
    (tmp_path / "list.txt").write_bytes(listed.encode())
    one, two = names[:2]
    home = str(tmp_path / two)
    assert paths("list.txt") == [one, two, one, one, home, two, one, two, one, two, *names[2:]]


@pytest.mark.skipif(shutil.which("find") is None, reason="needs find")
def test_folders_that_find_names_unasked_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("p/a.jpg", "p/b\nc.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = subprocess.run(["find", "p", "-print0"], stdout=-1, check=True).stdout
    assert sorted(lines(io.BytesIO(found))) == ["p/a.jpg", "p/b\nc.jpg"]
    assert list(lines(io.BytesIO(b"p/\0p/a.jpg"))) == ["p/", "p/a.jpg"]


def test_a_file_beside_the_list_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "list.txt").write_text("a.jpg\n")
    assert "beside the list" in failures(tmp_path / "list.txt")["a.jpg"]


def test_a_list_that_comes_in_drops_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drops(io.BytesIO):
        def read1(self, size: int | None = -1) -> bytes:
            return super().read1(3)

    names = [f"photo {number}.jpg" for number in range(50)]
    for end in ("\n", "\0"):
        assert list(lines(Drops(end.join(names).encode()))) == names


def test_lists_in_files_and_on_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "album").mkdir()
    for name in ("a.jpg", "album/b.jpg", "album/c.jpg"):
        (tmp_path / name).touch()
    listed = ["gone.jpg", "album", "a.jpg", "https://example.org/d.jpg"]
    listed[:3] = [str(tmp_path / name) for name in listed[:3]]
    text = "\n".join(listed).encode()
    (tmp_path / "list.txt").write_bytes(text)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    for name in (str(tmp_path / "list.txt"), "-"):
        first, *rest = files([name])
        assert isinstance(first, ImageError) and first.path == listed[0]
        album = tmp_path / "album"
        assert rest == [str(album / "b.jpg"), str(album / "c.jpg"), *listed[2:]]
    assert failures(tmp_path / "none.txt")
