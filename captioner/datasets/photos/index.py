"""Finds photos by the names that a file of captions has for them: in folders and archives."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from captioner.datasets.captions import Names
from captioner.datasets.photos.search import ARCHIVES
from captioner.errors import CaptionerError, why_unread


@dataclass(frozen=True)
class StoredPhoto:
    """Where a photo lies. Reading in the order of `place` and `position` goes through each
    archive once from its beginning, which a compressed tar needs."""

    place: int
    position: int
    name: str
    read: Callable[[], str | bytes]


class PhotoIndex:
    """The photos in folders and archives by name.

    A photo is found as `Names` finds it, hard links in a tar too. A folder may also hold archives.
    Raises CaptionerError for a place that cannot be opened.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        self._names: Names[StoredPhoto] = Names()
        for number, place in enumerate(_with_archives(places)):
            for position, (name, read) in enumerate(entries(place)):
                self._names.add(name, StoredPhoto(number, position, name, read))

    def find(self, file_name: str) -> StoredPhoto | None:
        """Where the photo lies; None if it is not there, or its name fits several."""
        return self._names.find(file_name)


def _with_archives(places: Sequence[Path]) -> list[Path]:
    """The places, and after each folder the archives that lie in it."""
    everything = []
    for place in places:
        if not place.exists():
            raise CaptionerError(f"{place}: no such folder or archive of photos")
        everything.append(place)
        if place.is_dir():
            archives = (path for path in place.iterdir() if path.name.lower().endswith(ARCHIVES))
            everything += sorted(filter(Path.is_file, archives))
    return everything


def entries(place: Path) -> list[tuple[str, Callable[[], str | bytes]]]:
    """The files in a folder or an archive by name: of a folder's the path is to be had, of an
    archive's the bytes. Raises CaptionerError where it cannot be opened."""
    try:
        return _entries(place)
    except OSError as error:
        raise CaptionerError(f"{place}: {why_unread(error)}") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        why = "cannot be opened: it is no archive, or a damaged one"
        raise CaptionerError(f"{place}: {why}") from error


def _entries(place: Path) -> list[tuple[str, Callable[[], str | bytes]]]:
    if place.is_dir():
        return [
            (os.path.relpath(path, place).replace(os.sep, "/"), partial(str, path))
            for path in _files(place)
        ]
    if zipfile.is_zipfile(place):
        archive = zipfile.ZipFile(place)
        members = [entry for entry in archive.infolist() if not entry.is_dir()]
        return [(entry.filename, partial(archive.read, entry)) for entry in members]
    tar = tarfile.open(place)  # noqa: SIM115 - stays open to be read from
    files = [entry for entry in tar if entry.isreg() or entry.islnk()]
    return [(entry.name, partial(_content, tar, entry)) for entry in files]


def _files(folder: Path) -> Iterator[str]:
    for above, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        yield from (os.path.join(above, name) for name in sorted(files))


def _content(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry)
    assert file is not None  # only entries that are files are listed
    return file.read()
