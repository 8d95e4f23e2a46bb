"""Where photos come from: what a user names becomes a stream of files, in a stable order."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from fnmatch import fnmatch
from typing import IO

from captioner.datasets.photos import remote
from captioner.datasets.photos.lists import lines
from captioner.datasets.photos.photo import NO_PICTURES
from captioner.errors import CaptionerError, ImageError
from captioner.images import IMAGE_SUFFIXES

LISTS = (".txt", ".lst", ".list")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
ATTENTION = ".attention.png"
"""How the command's own pictures of attention end: a folder's are no photos of its."""

_DEEP = re.compile(r"(?:^|(?<=/))\*\*(?:/|$)")  # any folders, in a pattern

Identity = tuple[int, int]


def files(inputs: Iterable[str]) -> Iterator[str | ImageError]:
    """The files that a user's words stand for; in place of one that cannot be had, the error.

    A file is taken whatever its name, archives and tables as they are. A folder stands for the
    pictures in it and below, by name, hidden ones left out; links that lead in circles are
    survived. A pattern such as `a/**/*.jpg` stands for the files it matches, a list (.txt, or "-"
    for standard input) for the files, folders, patterns and addresses in it (see `lists.lines`),
    which start where the program runs, as all the inputs do.
    """
    for name in inputs:
        if name == "-":
            yield from _entries("standard input", sys.stdin.buffer)
        elif name.lower().endswith(LISTS) and (remote.is_remote(name) or os.path.isfile(name)):
            yield from _list(name)
        else:
            yield from _named(name)


def named(inputs: Iterable[str], like: str) -> Iterator[str]:
    """The inputs as they are named; of a pattern what it matches, if it can match `like`."""
    for name in inputs:
        if not is_pattern(name):
            yield name
        elif fnmatch(like, os.path.basename(name)):
            yield from _globbed(name)


def is_pattern(name: str) -> bool:
    """Whether `name` is to be matched against files, no file itself having that name."""
    return glob.has_magic(name) and not os.path.lexists(name)


def opened(name: str) -> IO[bytes]:
    """The file of that name, near or far, to be read from the start. Raises OSError."""
    return remote.opened(name) if remote.is_remote(name) else open(name, "rb")


def is_picture(name: str) -> bool:
    """Whether a folder or a pattern stands for the file of that name, among others."""
    if name.lower().endswith(ATTENTION):
        return False
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def holds_photos(item: str | ImageError) -> bool:
    """Whether the file is an archive or a table: nobody knows how many photos are in it."""
    return isinstance(item, str) and item.lower().endswith((*ARCHIVES, *TABLES))


def _named(name: str) -> Iterator[str | ImageError]:
    if remote.is_remote(name):
        yield from remote.files(name, _wanted)
    elif is_pattern(name):
        yield from _matching(name)
    else:
        yield from _entry(name)


def _entry(name: str) -> Iterator[str | ImageError]:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        yield ImageError(name, reason(error))
        return
    if stat.S_ISDIR(mode):
        yield from _folder(name)
    elif stat.S_ISREG(mode):
        yield name
    else:
        yield ImageError(name, "neither a file nor a folder")


def _wanted(name: str) -> bool:
    """What a pattern may stand for: pictures, and what holds pictures."""
    return is_picture(name) or holds_photos(name)


def _matching(pattern: str) -> Iterator[str | ImageError]:
    found = sorted({name for name in filter(_wanted, _globbed(pattern)) if not os.path.isdir(name)})
    yield from found
    if not found:
        yield ImageError(pattern, f"{NO_PICTURES}, archives or tables of such a name")


def _globbed(pattern: str) -> Iterator[str]:
    """What matches, as glob has it, but that links do not lead `**` in circles."""
    deep = _DEEP.search(pattern)
    if deep is None:
        yield from glob.iglob(pattern)
        return
    rest = pattern[deep.end() :] or "*"
    for top in glob.iglob(pattern[: deep.start()]) if deep.start() else [""]:
        yield from _globbed(glob.escape(top) + rest)
        for entry in _below(top, (), set()):
            if isinstance(entry, str) and entry.endswith("/"):
                yield from _globbed(glob.escape(entry) + rest)


def _list(name: str) -> Iterator[str | ImageError]:
    try:
        with closing(opened(name)) as file:
            yield from _entries(name, file)
    except (OSError, CaptionerError) as error:
        yield ImageError(name, reason(error))


def _entries(name: str, file: IO[bytes]) -> Iterator[str | ImageError]:
    try:
        for path in lines(file):
            for item in _named(path):
                yield _with_hint(name, item)
    except CaptionerError as error:
        yield ImageError(name, str(error))


def _with_hint(name: str, item: str | ImageError) -> str | ImageError:
    if isinstance(item, str) or not os.path.isfile(os.path.join(os.path.dirname(name), item.path)):
        return item
    return ImageError(
        item.path,
        "there is no such file; paths in a list start where captioner runs, and this file lies"
        " beside the list: run it there",
    )


def _folder(name: str) -> Iterator[str | ImageError]:
    found = False
    for entry in _below(name, (), set()):
        if isinstance(entry, ImageError) or is_picture(entry):
            found = True
            yield entry
    if not found:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        yield ImageError(name, f"{NO_PICTURES} in this folder (looked for {kinds})")


def _below(
    folder: str, above: tuple[Identity, ...], linked: set[Identity]
) -> Iterator[str | ImageError]:
    """All that lies below a folder ("" is this one), by name, without what is hidden; a folder,
    its name ending in "/", comes before what it holds.

    `above` identifies the folders that lead here, `linked` those that a link has led to. None of
    the former is entered again, nor by a link one of the latter: folders full of links to each
    other would otherwise be walked in every possible order.
    """
    try:
        above = (*above, _identity(folder or os.curdir))
        with os.scandir(folder or os.curdir) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        yield ImageError(folder, reason(error))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = os.path.join(folder, entry.name)
        if not _is_folder(entry):
            yield path
        elif _is_new(entry, above, linked):
            yield os.path.join(path, "")
            yield from _below(path, above, linked)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: opening it will tell
        return False


def _is_new(entry: os.DirEntry[str], above: tuple[Identity, ...], linked: set[Identity]) -> bool:
    try:
        identity = _identity(entry.path)
    except OSError:
        return True  # walking it will say what is wrong
    if identity in above or (entry.is_symlink() and identity in linked):
        return False
    if entry.is_symlink():
        linked.add(identity)
    return True


def _identity(folder: str) -> Identity:
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def reason(error: Exception) -> str:
    """Why a file cannot be had, in words that follow its name."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file; check the name"
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
