"""What the links in a tar archive stand for: `tar` stores a file's second name as one."""

from __future__ import annotations

import os
import posixpath
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from captioner.datasets.photos.remote import MAX_BYTES, TOO_MANY_BYTES
from captioner.errors import ImageError

_LONGEST_CHAIN = 8  # of links to links


class Links:
    """The files in the tar `file` that its links, hard or symbolic, lead to.

    Only where a photo is a link are they looked for: once through the archive for what its links
    name, and once more to put those files aside. The place in `file` stays as it was.
    """

    def __init__(self, file: IO[bytes], open_tar: Callable[[IO[bytes]], tarfile.TarFile]) -> None:
        self._file, self._open_tar = file, open_tar
        self._leads: dict[str, str] = {}
        self._aside: dict[str, tuple[int, int]] | None = None  # where each starts, and its length
        self._store: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115, gone with this object

    def read(self, path: str, link: tarfile.TarInfo) -> bytes:
        """The bytes of what `link` leads to; messages call it `path`. Raises ImageError, OSError
        and TarError."""
        if not self._file.seekable():
            raise ImageError(path, "is a link to what lies further back in a stream; unpack it")
        if self._aside is None:
            self._aside = self._put_aside()
        name = _target(link)
        for _ in range(_LONGEST_CHAIN):
            name = self._leads.get(name, name)
        if name not in self._aside:
            raise ImageError(path, f"is a link to {link.linkname}, which is not in the archive")
        start, length = self._aside[name]
        if length > MAX_BYTES:
            raise ImageError(path, TOO_MANY_BYTES)
        self._store.seek(start)
        return self._store.read(length)

    def _put_aside(self) -> dict[str, tuple[int, int]]:
        place = self._file.tell()
        try:
            for _, member in self._members():
                if member.islnk() or member.issym():
                    self._leads[posixpath.normpath(member.name)] = _target(member)
            wanted, aside = set(self._leads.values()), {}
            for archive, member in self._members():
                name = posixpath.normpath(member.name)
                if name in wanted and member.isfile():
                    aside[name] = (self._store.seek(0, os.SEEK_END), member.size)
                    content = archive.extractfile(member)
                    if content is not None and member.size <= MAX_BYTES:
                        shutil.copyfileobj(content, self._store)
            return aside
        finally:
            self._file.seek(place)

    def _members(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        self._file.seek(0)
        with self._open_tar(self._file) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # it would keep them all
                yield archive, member


def _target(link: tarfile.TarInfo) -> str:
    """The name that a link leads to: a symbolic one starts in its own folder."""
    folder = posixpath.dirname(link.name) if link.issym() else ""
    return posixpath.normpath(posixpath.join(folder, link.linkname))
