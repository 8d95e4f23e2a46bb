"""Photos in ZIP and tar archives, whole and damaged."""

import random
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.search import Search
from captioner.datasets.photos.stream import photos
from captioner.errors import ImageError
from tests.datasets.packed import OTHERS, PICTURES, contents, found, jpeg, pack, pack_tar, pack_zip


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.TGZ", "a.tar.bz2", "a.tar.xz"])
def test_the_pictures_in_an_archive_in_its_order(tmp_path: Path, name: str) -> None:
    members = list((PICTURES | OTHERS).items())
    random.Random(1).shuffle(members)
    path = tmp_path / name
    pack(path, dict(members))
    expected = {f"{path}/{member}": data for member, data in members if member in PICTURES}
    items = found(path)
    assert [item.path for item in items] == list(expected)
    assert contents(items) == expected
    assert [item.path for item in found(path, read=False)] == list(expected)


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar.bz2", "a.tar.xz"])
def test_what_is_packed_to_a_thousandth_is_unpacked_a_little_at_a_time(
    tmp_path: Path, name: str
) -> None:
    """tarfile alone would have all of it in memory: 8 GB out of 10 kB of bzip2."""
    pack(tmp_path / name, {"notes.txt": bytes(15_000_000), "a.jpg": jpeg(1)})
    tracemalloc.start()
    assert [item.path for item in photos([str(tmp_path / name)])] == [f"{tmp_path}/{name}/a.jpg"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_only_what_is_wanted_is_read(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", PICTURES)
    last = f"{tmp_path}/a.tar/{list(PICTURES)[-1]}"
    items = list(photos([f"{tmp_path}/a.tar"], wanted=lambda path: path == last))
    assert contents(items) == {last: list(PICTURES.values())[-1]}


def test_broken_members_are_rows_among_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    pack_zip(path, PICTURES, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    victim = list(PICTURES)[4]
    at = data.index(PICTURES[victim])
    data[at + 30] ^= 0xFF  # its checksum no longer fits
    path.write_bytes(data)
    items = found(path)
    assert len(items) == len(PICTURES)
    bad = [item for item in items if isinstance(item, ImageError)]
    assert [item.path for item in bad] == [f"{path}/{victim}"]
    assert "damaged" in bad[0].reason


def test_an_encrypted_member_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    pack_zip(path, {"a.jpg": jpeg(1)})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    (item,) = found(path)
    assert isinstance(item, ImageError) and "encrypted" in item.reason


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.4, 0.5, 0.9])
def test_an_archive_cut_off_gives_what_it_has_and_a_reason(
    tmp_path: Path, name: str, share: float
) -> None:
    path = tmp_path / name
    many = {f"{n:02} {name}": data for n in range(9) for name, data in PICTURES.items()}
    pack(path, many)
    whole = contents(found(path))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    *good, last = found(path)
    assert isinstance(last, ImageError)
    assert "damaged" in last.reason or "no pictures" in last.reason
    there = {item.path: item.content for item in good if isinstance(item, Photo)}
    assert there.items() <= whole.items()
    if name == "a.tar" and share == 0.9:
        assert len(there) > 50


def test_archives_without_pictures_and_members_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(tmp_path / "a.tar", OTHERS)
    (item,) = found(tmp_path / "a.tar")
    assert item.reason == "no pictures in this archive"
    monkeypatch.setattr("captioner.datasets.photos.archives.MAX_BYTES", 1000)
    pack(tmp_path / "b.zip", {"large.jpg": bytes(1001), "small.jpg": jpeg(1)})
    large, small = found(tmp_path / "b.zip")
    assert isinstance(large, ImageError) and "MiB" in large.reason
    assert isinstance(small, Photo)


def test_a_tar_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    pack(path, {name: bytes(512) for name in PICTURES})
    path.write_bytes(path.read_bytes()[: 5 * 1024])
    *good, last = found(path)
    assert len(good) == 5 and isinstance(last, ImageError)


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_long_archive_needs_no_more_memory_than_a_short_one(tmp_path: Path, name: str) -> None:
    pack_tar(
        tmp_path / name,
        {f"{n:06}.jpg": random.randbytes(100) for n in range(6000)},
        "w:gz" if name.endswith("gz") else "w",
    )
    stream = photos([str(tmp_path / name)])
    for _ in range(500):
        next(stream)
    tracemalloc.start()
    assert sum(1 for _ in stream) == 5500
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300_000


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_links_in_a_tar_are_photos(tmp_path: Path, suffix: str) -> None:
    """As `tar` packs a folder with hard links, which Python's reader resolves by other means."""
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(jpeg(1))
    (folder / "sub" / "b.jpg").hardlink_to(folder / "a.jpg")
    (folder / "sub" / "c.jpg").symlink_to("../z.jpg")
    (folder / "sub" / "d.jpg").symlink_to("c.jpg")
    (folder / "sub" / "e.jpg").symlink_to("/etc/gone.jpg")
    (folder / "z.jpg").write_bytes(jpeg(2))
    name = str(tmp_path / f"a{suffix}")
    with tarfile.open(name, f"w:{suffix[5:]}") as archive:
        for path in sorted(folder.rglob("*.jpg")):
            archive.add(path, path.relative_to(folder))
    found = {item.path.removeprefix(f"{name}/"): item for item in photos([name])}
    lost = found.pop("sub/e.jpg")
    assert isinstance(lost, ImageError) and "not in the archive" in lost.reason
    with tarfile.open(name) as archive:
        expected = {path: archive.extractfile(path).read() for path in found}  # type: ignore[union-attr]
    assert {path: getattr(item, "content", None) for path, item in found.items()} == expected
    assert len(found) == 5 and expected["sub/d.jpg"] == jpeg(2)


def test_archives_leave_out_what_folders_do(tmp_path: Path) -> None:
    pack(
        tmp_path / "a.zip",
        {"a.jpg": jpeg(1), "@eaDir/a.jpg": jpeg(2), "a.cr2": b"", "x/y/b.jpg": jpeg(3)},
    )
    name, search = str(tmp_path / "a.zip"), Search(["x"])
    assert [item.path for item in photos([name], search=search)] == [f"{name}/a.jpg"]
    assert search.left_out == {".cr2": 1}
