"""Where photos come from: what a user names becomes a stream of files, in a stable order."""

from __future__ import annotations

import glob
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from fnmatch import fnmatch
from typing import IO

from captioner.datasets.photos import remote
from captioner.datasets.photos.folders import below, matching
from captioner.datasets.photos.lists import lines
from captioner.datasets.photos.names import on_disk
from captioner.datasets.photos.photo import NO_PICTURES
from captioner.datasets.photos.search import Search, is_for_patterns, is_sidecar, kind_of, told
from captioner.errors import CaptionerError, ImageError, why_unread

LISTS = (".txt", ".lst", ".list")


def files(inputs: Iterable[str], search: Search | None = None) -> Iterator[str | ImageError]:
    """The files that a user's words stand for; in place of one that cannot be had, the error.

    A file is taken whatever its name, archives and tables as they are. A folder stands for the
    pictures in it and below, by name, hidden ones left out and what `search` excludes; links that
    lead in circles are survived. A pattern such as `a/**/*.jpg` stands for the files it matches, a
    list (.txt, or "-" for standard input) for the files, folders, patterns and addresses in it (see
    `lists.lines`), which start where the program runs, as all the inputs do. What stands beside a
    photo under its name, `a.txt` beside `a.jpg`, is left out: a shell's `*` names it too.
    """
    search, alone, sidecar = search or Search(), True, ""
    for name in inputs:
        if is_sidecar(name):
            search.left_out[f"{kind_of(name)} beside its photo"] += 1
            sidecar = name
            continue
        alone = False
        listing = name.lower().endswith(LISTS)
        if name == "-" or (listing and (remote.is_remote(name) or os.path.isfile(name))):
            yield from _list(name, search)
        else:
            yield from _named(name, search)
    if alone and sidecar:
        yield ImageError(sidecar, "is the text of a photo beside it; name the photo")


def named(inputs: Iterable[str], like: str) -> Iterator[str]:
    """The inputs as they are named; of a pattern what it matches, if it can match `like`."""
    for name in inputs:
        if not is_pattern(name):
            yield name
        elif fnmatch(like, os.path.basename(name)):
            yield from matching(name, lambda path: False)


def is_pattern(name: str) -> bool:
    """Whether `name` is to be matched against files, no file itself having that name."""
    return glob.has_magic(name) and not os.path.lexists(name)


def opened(name: str) -> IO[bytes]:
    """The file of that name, near or far, to be read from the start. Raises OSError."""
    return remote.opened(name) if remote.is_remote(name) else open(name, "rb")


def _named(name: str, search: Search) -> Iterator[str | ImageError]:
    if remote.is_remote(name):
        yield from remote.files(name, lambda path: _wanted(name, path, search))
    elif is_pattern(name):
        yield from _matching(name, search)
    else:
        yield from _entry(on_disk(name), search)


def _entry(name: str, search: Search) -> Iterator[str | ImageError]:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        yield ImageError(name, why_unread(error))
        return
    if stat.S_ISDIR(mode):
        yield from _folder(name, search)
    elif stat.S_ISREG(mode):
        yield name
    else:
        yield ImageError(name, "neither a file nor a folder")


def _wanted(start: str, name: str, search: Search) -> bool:
    """What a pattern, or a folder afar, may stand for: pictures, and what holds pictures."""
    if search.excludes_below(start, name):
        return False
    return is_for_patterns(name) or search.takes(name)


def _matching(pattern: str, search: Search) -> Iterator[str | ImageError]:
    everything = {name for name in matching(pattern, search.excludes) if not os.path.isdir(name)}
    found = sorted(name for name in everything if _wanted(pattern, name, search))
    yield from found
    if not found:
        yield ImageError(pattern, f"{NO_PICTURES}, archives or tables of such a name")


def _list(name: str, search: Search) -> Iterator[str | ImageError]:
    said, path = "standard input" if name == "-" else name, None
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else closing(opened(name)) as file:
            for path in lines(file):
                for item in _named(path, search):
                    yield _with_hint(said, item)
        if path is None:
            yield ImageError(said, "is empty; a list names photos, one a line")
    except (OSError, CaptionerError) as error:
        yield ImageError(said, why_unread(error))


def _with_hint(name: str, item: str | ImageError) -> str | ImageError:
    if isinstance(item, str) or not os.path.isfile(os.path.join(os.path.dirname(name), item.path)):
        return item
    return ImageError(
        item.path,
        "there is no such file; paths in a list start where captioner runs, and this file lies"
        " beside the list: run it there",
    )


def _folder(name: str, search: Search) -> Iterator[str | ImageError]:
    found = False
    others: Counter[str] = Counter()
    for entry in below(name, search.excludes):
        if isinstance(entry, ImageError):
            found = True
            yield entry
        elif entry.endswith("/"):
            continue
        elif search.takes(entry):
            found = True
            yield entry
        else:
            others[kind_of(entry)] += 1
    if not found:
        yield ImageError(name, _nothing_in(others))


def _nothing_in(others: Counter[str]) -> str:
    """Why a folder that holds files of these kinds stands for no photo."""
    reason = f"{NO_PICTURES} in this folder"
    if not others:
        return reason
    holding = [kind for kind in others if is_for_patterns(f"x{kind}")]
    advice = f"; name those to be opened: folder/*{holding[0]}" if holding else ""
    return f"{reason} (but {told(others)}){advice}"
