"""Photos in ZIP and tar archives, WebDataset shards among them, in the archive's own order."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, cast

from captioner.datasets.photos.links import Links
from captioner.datasets.photos.photo import NO_PICTURES, Photo
from captioner.datasets.photos.remote import MAX_BYTES, TOO_MANY_BYTES
from captioner.datasets.photos.search import Search
from captioner.errors import ImageError

DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # a password is missing, or a way to pack unknown
)
_PACKED: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_LONGEST_SIGN = 6
_PIECE = 1 << 20  # bytes that are read at a time


Watch = Callable[[IO[bytes]], IO[bytes]]


def members(
    name: str, file: IO[bytes], search: Search, watch: Watch = lambda file: file
) -> Iterator[Photo | ImageError]:
    """The pictures in the archive `file`, called `name/…`; their bytes are to be had, by a call
    that may raise ImageError, until the next is asked for.

    Where the archive breaks off there is an error. It is read through `watch`, a packed tar as it
    is unpacked.
    """
    found = False
    for photo in (_zip if name.lower().endswith(".zip") else _tar)(name, file, search, watch):
        found = True
        yield photo
    if not found:
        yield ImageError(name, f"{NO_PICTURES} in this archive")


def _zip(name: str, file: IO[bytes], search: Search, watch: Watch) -> Iterator[Photo | ImageError]:
    try:
        archive = zipfile.ZipFile(watch(file))
    except DAMAGE:
        yield ImageError(name, "is cut off or damaged, or no ZIP archive; copy it again")
        return
    for member in archive.infolist():
        if not member.is_dir() and search.takes_member(member.filename):
            path = f"{name}/{member.filename}"
            extract = partial(_whole, partial(archive.open, member), member.file_size)
            yield Photo(path, partial(_read, path, member.file_size, extract))


def _tar(name: str, file: IO[bytes], search: Search, watch: Watch) -> Iterator[Photo | ImageError]:
    whole = name.lower().endswith(".tar") and file.seekable()  # what is not read is jumped over
    open_tar, count = partial(_open_tar, whole=whole, watch=watch), 0
    links = Links(file, open_tar)
    try:
        with open_tar(file) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                if member.isdir() or not search.takes_member(member.name):
                    continue
                path = f"{name}/{member.name}"
                if member.isfile():
                    count += 1
                    extract = partial(_extract, archive, member)
                    yield Photo(path, partial(_read, path, member.size, extract))
                elif member.islnk() or member.issym():
                    count += 1
                    yield Photo(path, partial(_read, path, 0, partial(links.read, path, member)))
            _check_end(archive)
    except DAMAGE:
        yield ImageError(name, f"is cut off or damaged (after {count} pictures); copy it again")


def _open_tar(file: IO[bytes], whole: bool, watch: Watch) -> tarfile.TarFile:
    if whole:
        return tarfile.open(fileobj=watch(file), mode="r:")
    return tarfile.open(fileobj=watch(unpacked(file)), mode="r|")


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """What a stream holds, packed by gzip, bzip2, xz or not at all.

    tarfile would unpack all that it reads at once: ten kilobytes of bzip2 can be gigabytes.
    """
    begun = cast("IO[bytes]", _Begun(file.read(_LONGEST_SIGN), file))
    for sign, opened in _PACKED.items():
        if begun.start.startswith(sign):  # type: ignore[attr-defined]
            return cast("IO[bytes]", opened(begun))
    return begun


class _Begun:
    """A stream from whose start something was read already."""

    def __init__(self, start: bytes, file: IO[bytes]) -> None:
        self.start, self._file = start, file

    def read(self, size: int = -1) -> bytes:
        if not self.start:
            return self._file.read(size)
        data = self.start[: size if size >= 0 else None]
        self.start = self.start[len(data) :]
        return data


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise ReadError where an archive stops short of its end mark, a block of zeros."""
    end = archive.offset + tarfile.BLOCKSIZE
    if archive.fileobj is None or archive.fileobj.tell() < end:
        raise tarfile.ReadError("no end mark")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    data = _whole(lambda: archive.extractfile(member) or io.BytesIO(), member.size)
    if len(data) < member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


def _whole(opened: Callable[[], IO[bytes]], size: int) -> bytes:
    """All of a member of that size; `read` would hold a large one twice."""
    data = io.BytesIO()
    with opened() as file:
        shutil.copyfileobj(file, data, min(size + 1, _PIECE))
    return data.getvalue()


def _read(path: str, size: int, get: Callable[[], bytes]) -> bytes:
    if size > MAX_BYTES:
        raise ImageError(path, TOO_MANY_BYTES)
    try:
        return get()
    except DAMAGE as error:
        if "encrypted" in str(error):
            raise ImageError(path, "is encrypted; unpack the archive with its password") from None
        raise ImageError(path, "is damaged in its archive; copy the archive again") from None
