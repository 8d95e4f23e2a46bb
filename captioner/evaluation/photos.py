"""Finds the photos that a reference file names: in folders, in tar files, in ZIP files."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from captioner.errors import CaptionerError

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


@dataclass(frozen=True)
class Place:
    """Where a photo lies. Reading in the order of `place` and `position` goes through each
    archive once from its beginning, which a compressed tar needs."""

    place: int
    position: int
    name: str
    read: Callable[[], str | bytes]


class PhotoIndex:
    """The photos in folders and archives by name.

    A photo is found by its path there, else by its name without folders, else by its name without
    folders and suffix, as long as that names one photo only. A folder may also hold archives.
    Raises CaptionerError for a place that cannot be opened.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        self._by_path: dict[str, Place] = {}
        self._by_name: dict[str, list[Place]] = {}
        self._by_stem: dict[str, list[Place]] = {}
        for number, place in enumerate(_with_archives(places)):
            try:
                found = _entries(place)
            except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
                reason = getattr(error, "strerror", None) or error
                raise CaptionerError(f"{place}: cannot be opened: {reason}") from error
            for position, (name, read) in enumerate(found):
                self._add(Place(number, position, name, read))

    def _add(self, place: Place) -> None:
        path = PurePosixPath(place.name)
        if self._by_path.setdefault(str(path), place) is place:
            self._by_name.setdefault(path.name, []).append(place)
            self._by_stem.setdefault(path.stem, []).append(place)

    def find(self, file_name: str) -> Place | None:
        """Where the photo lies; None if it is not there, or its name fits several."""
        path = PurePosixPath(file_name.replace("\\", "/"))
        if str(path) in self._by_path:
            return self._by_path[str(path)]
        for found in (self._by_name.get(path.name, []), self._by_stem.get(path.stem, [])):
            if found:
                return found[0] if len(found) == 1 else None
        return None


def _with_archives(places: Sequence[Path]) -> list[Path]:
    """The places, and after each folder the archives that lie in it."""
    everything = []
    for place in places:
        if not place.exists():
            raise CaptionerError(f"{place}: no such folder or archive of photos")
        everything.append(place)
        if place.is_dir():
            everything += sorted(path for path in place.iterdir() if _is_archive(path))
    return everything


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(_ARCHIVES) and path.is_file()


def _entries(place: Path) -> list[tuple[str, Callable[[], str | bytes]]]:
    if place.is_dir():
        return [(_relative(path, place), _path_of(path)) for path in _files(place)]
    if zipfile.is_zipfile(place):
        archive = zipfile.ZipFile(place)
        return [
            (entry.filename, _zipped(archive, entry))
            for entry in archive.infolist()
            if not entry.is_dir()
        ]
    tar = tarfile.open(place)  # noqa: SIM115 - stays open to be read from
    return [(entry.name, _tarred(tar, entry)) for entry in tar if entry.isfile()]


def _files(folder: Path) -> Iterable[str]:
    for above, folders, files in os.walk(folder, followlinks=True):
        folders.sort()
        yield from (os.path.join(above, name) for name in sorted(files))


def _relative(path: str, folder: Path) -> str:
    return os.path.relpath(path, folder).replace(os.sep, "/")


def _path_of(path: str) -> Callable[[], str]:
    return lambda: path


def _zipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    return lambda: archive.read(entry)


def _tarred(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        file = archive.extractfile(entry)
        assert file is not None  # only entries that are files are listed
        return file.read()

    return read
