"""Photos found in folders, tar files and ZIP files."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest

from captioner.datasets.photos.index import PhotoIndex
from captioner.errors import CaptionerError

NAMES = ["coco/1.jpg", "coco/2.webp", "flickr/3.png", "flickr/1.gif"]


def content(name: str) -> bytes:
    return name.encode() * 3


def in_folder(folder: Path) -> Path:
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content(name))
    return folder


def packed(folder: Path, kind: str) -> Path:
    root = in_folder(folder / "loose")
    path = folder / f"photos.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in NAMES:
                archive.write(root / name, f"./{name}")
    else:
        with tarfile.open(path, f"w:{kind[4:]}") as tar:
            tar.add(root, arcname=".")
    return path


@pytest.mark.parametrize("kind", ["folder", "tar", "tar.gz", "zip", "folder of tars"])
def test_every_kind_of_place(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        place = in_folder(tmp_path / "with space")
    elif kind == "folder of tars":
        place = tmp_path / "shards"
        place.mkdir()
        packed(tmp_path, "tar").rename(place / "00.tar")
    else:
        place = packed(tmp_path, kind)
    index = PhotoIndex([place])
    for name in reversed(NAMES):
        found = index.find(name)
        assert found is not None
        read = found.read()
        assert (read if isinstance(read, bytes) else Path(read).read_bytes()) == content(name)


def test_other_folders_and_suffixes(tmp_path: Path) -> None:
    index = PhotoIndex([in_folder(tmp_path)])

    def name(wanted: str) -> str | None:
        found = index.find(wanted)
        return found and found.name

    assert name("elsewhere/2.webp") == "coco/2.webp"
    assert name("val2014\\3.png") == "flickr/3.png"
    assert name("2.jpg") == "coco/2.webp"  # as another format
    assert name("1.png") is None  # 1.jpg or 1.gif?
    assert name("4.jpg") is None


def test_several_places(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "9.jpg").write_bytes(b"nine")
    index = PhotoIndex([packed(tmp_path, "zip"), tmp_path / "more"])
    first, last = index.find("coco/1.jpg"), index.find("9.jpg")
    assert first is not None and last is not None
    assert (first.place, last.place) == (0, 1)


def test_places_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match="no such folder or archive of photos"):
        PhotoIndex([tmp_path / "none"])
    (tmp_path / "broken.tar").write_bytes(b"no tar at all")
    with pytest.raises(CaptionerError, match=r"broken\.tar: cannot be opened"):
        PhotoIndex([tmp_path / "broken.tar"])
