"""A file by a name that the disk has in another form."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import lru_cache

from captioner.datasets.captions.names import composed


def on_disk(path: str) -> str:
    """The path as the disk has it, where that is not as it was written but for accents, composed
    (NFC) or not (NFD), or for large and small letters; as it is where no file or several fit."""
    if os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    if not name:
        return path
    if folder and not os.path.isdir(folder):
        there = on_disk(folder)
        if not os.path.isdir(there):
            return path
        folder = there
    try:
        names = _names(folder or os.curdir, os.stat(folder or os.curdir).st_mtime_ns)
    except OSError:
        return path
    alike = names.get(_plain(name), [])
    alike = [other for other in alike if composed(other) == composed(name)] or alike
    return os.path.join(folder, alike[0]) if len(alike) == 1 else path


@lru_cache(maxsize=16)
def _names(folder: str, changed: int) -> dict[str, list[str]]:
    """The names in a folder that last changed then, by what is alike in them."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for name in os.listdir(folder):
        names[_plain(name)].append(name)
    return names


def _plain(name: str) -> str:
    return composed(name).casefold()
