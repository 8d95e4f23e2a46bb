"""All that lies in a folder and below, by name, and what a pattern matches there."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator

from captioner.errors import ImageError, why_unread

_DEEP = re.compile(r"(?:^|(?<=/))\*\*(?:/|$)")  # any folders, in a pattern

Identity = tuple[int, int]
Leaves = Callable[[str], bool]


def below(folder: str, leaves: Leaves) -> Iterator[str | ImageError]:
    """All that lies below a folder ("" is this one), by name; a folder, its name ending in "/",
    comes before what it holds. Hidden files are left out, and what `leaves` says.

    Links that lead in circles are survived: folders full of links to each other too, which would
    otherwise be walked in every possible order.
    """
    return _Walk(leaves).below(folder, ())


def matching(pattern: str, leaves: Leaves) -> Iterator[str]:
    """What matches, as glob has it, but that links do not lead `**` in circles."""
    deep = _DEEP.search(pattern)
    if deep is None:
        yield from (name for name in glob.iglob(pattern) if not leaves(name))
        return
    rest = pattern[deep.end() :] or "*"
    for top in glob.iglob(pattern[: deep.start()]) if deep.start() else [""]:
        yield from matching(glob.escape(top) + rest, leaves)
        for entry in below(top, leaves):
            if isinstance(entry, str) and entry.endswith("/"):
                yield from matching(glob.escape(entry) + rest, leaves)


class _Walk:
    """`above` identifies the folders that lead to one, `linked` those that a link has led to. None
    of the former is entered again, nor by a link one of the latter."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._linked: set[Identity] = set()

    def below(self, folder: str, above: tuple[Identity, ...]) -> Iterator[str | ImageError]:
        try:
            above = (*above, _identity(folder or os.curdir))
            with os.scandir(folder or os.curdir) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield ImageError(folder, why_unread(error))
            return
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.name.startswith(".") or self._leaves(path):
                continue
            if not _is_folder(entry):
                yield path
            elif self._is_new(entry, above):
                yield os.path.join(path, "")
                yield from self.below(path, above)

    def _is_new(self, entry: os.DirEntry[str], above: tuple[Identity, ...]) -> bool:
        try:
            identity = _identity(entry.path)
        except OSError:
            return True  # walking it will say what is wrong
        if identity in above or (entry.is_symlink() and identity in self._linked):
            return False
        if entry.is_symlink():
            self._linked.add(identity)
        return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: opening it will tell
        return False


def _identity(folder: str) -> Identity:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
