"""Lists of paths, as people, editors and `find -print0` write them."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from itertools import chain
from typing import IO

from captioner.datasets.photos import remote
from captioner.datasets.text import encoding_of
from captioner.errors import CaptionerError

_CHUNK = 1 << 16
_FILE = re.compile(r"(?=.*/|.*\.\w+\Z)[^\x00-\x1f\x7f]+", re.DOTALL)  # of a file that may be gone
_NO_TEXT = "is no list of paths but something else than text; save it as UTF-8, a path a line"


def lines(file: IO[bytes]) -> Iterator[str]:
    """The paths that a list stands for: one a line, without quotes and blanks around it, lines
    that start with # left out; or, as `find -print0` writes them, between NULs, each as it is.

    A byte-order mark decides the encoding; without one it is UTF-8, other bytes in names kept.
    NULs separate only where each entry is then a path; folders, which `find` names unasked, are
    left out there unless they end in "/". Raises CaptionerError for what is no text.
    """
    texts = _texts(file)
    start = next(texts)
    for text in texts:
        start += text
        if "\0" in start or "\n" in start:
            break
    texts = chain([start], texts)
    yield from _between_nulls(texts) if "\0" in start else _one_a_line(texts)


def _texts(file: IO[bytes]) -> Iterator[str]:
    """The file's text in pieces, at least one."""
    read = getattr(file, "read1", file.read)
    piece = read(_CHUNK)
    while 0 < len(piece) < 4 and (more := read(_CHUNK)):
        piece += more
    encoding = encoding_of(piece)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    try:
        while piece:
            yield decoder.decode(piece)
            piece = read(_CHUNK)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise CaptionerError(_NO_TEXT) from None


def _split(texts: Iterator[str], end: str) -> Iterator[list[str]]:
    """What stands between the ends, as it comes."""
    rest = ""
    for text in texts:
        *whole, rest = (rest + text).split(end)
        yield whole
    yield [rest]


def _one_a_line(texts: Iterator[str]) -> Iterator[str]:
    for line in chain.from_iterable(_split(texts, "\n")):
        if "\0" in line:
            raise CaptionerError(_NO_TEXT)
        if meant := _meant(line):
            yield meant


def _meant(line: str) -> str:
    """The path that a line stands for; "" for none. A file that is called like the line is it."""
    line = line.removesuffix("\r")
    if os.path.lexists(line):
        return line
    path = line.strip()
    if path.startswith("#"):
        return ""
    if len(path) > 1 and path[0] in "\"'" and path[-1] == path[0]:
        path = path[1:-1]
    path = os.path.expanduser(path)
    forward = path.replace("\\", "/")  # as Windows writes it
    return forward if os.path.lexists(forward) else path


def _between_nulls(texts: Iterator[str]) -> Iterator[str]:
    for entries in _split(texts, "\0"):
        if not all(map(_is_path, entries)):
            raise CaptionerError(_NO_TEXT)
        for entry in filter(None, entries):
            if not os.path.isdir(entry) or (entry.endswith("/") and entry != "/"):
                yield entry


def _is_path(entry: str) -> bool:
    """Whether this is the name of something, or might have been; nothing at all passes."""
    return (
        not entry
        or os.path.lexists(entry)
        or remote.is_remote(entry)
        or _FILE.fullmatch(entry) is not None
    )
