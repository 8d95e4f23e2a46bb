"""Photos in ZIP and tar archives, WebDataset shards among them, in the archive's own order."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO

from captioner.datasets.photos.links import Links
from captioner.datasets.photos.photo import NO_PICTURES, Photo
from captioner.datasets.photos.remote import MAX_BYTES, TOO_MANY_BYTES
from captioner.datasets.photos.search import Search
from captioner.errors import ImageError

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # a password is missing, or a way to pack unknown
)


def members(name: str, file: IO[bytes], search: Search) -> Iterator[Photo | ImageError]:
    """The pictures in the archive `file`, called `name/…`; their bytes are to be had, by a call
    that may raise ImageError, until the next is asked for.

    Where the archive breaks off there is an error.
    """
    found = False
    for photo in (_zip if name.lower().endswith(".zip") else _tar)(name, file, search):
        found = True
        yield photo
    if not found:
        yield ImageError(name, f"{NO_PICTURES} in this archive")


def _zip(name: str, file: IO[bytes], search: Search) -> Iterator[Photo | ImageError]:
    try:
        archive = zipfile.ZipFile(file)
    except _DAMAGE:
        yield ImageError(name, "is cut off or damaged, or no ZIP archive; copy it again")
        return
    for member in archive.infolist():
        if not member.is_dir() and search.takes_member(member.filename):
            path = f"{name}/{member.filename}"
            yield Photo(path, partial(_read, path, member.file_size, partial(archive.read, member)))


def _tar(name: str, file: IO[bytes], search: Search) -> Iterator[Photo | ImageError]:
    whole = name.lower().endswith(".tar") and file.seekable()  # what is not read is jumped over
    mode, count = "r:" if whole else "r|*", 0
    links = Links(file, mode)
    try:
        with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
            for member in archive:
                archive.members = []  # it would keep them all
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
    except _DAMAGE:
        yield ImageError(name, f"is cut off or damaged (after {count} pictures); copy it again")


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise ReadError where an archive stops short of its end mark, a block of zeros."""
    end = archive.offset + tarfile.BLOCKSIZE
    if archive.fileobj is None or archive.fileobj.tell() < end:
        raise tarfile.ReadError("no end mark")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    data = b"" if file is None else file.read()
    if len(data) < member.size:
        raise tarfile.ReadError("unexpected end of data")
    return data


def _read(path: str, size: int, get: Callable[[], bytes]) -> bytes:
    if size > MAX_BYTES:
        raise ImageError(path, TOO_MANY_BYTES)
    try:
        return get()
    except _DAMAGE as error:
        if "encrypted" in str(error):
            raise ImageError(path, "is encrypted; unpack the archive with its password") from None
        raise ImageError(path, "is damaged in its archive; copy the archive again") from None
