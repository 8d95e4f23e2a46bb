"""From files to photos: archives and tables are opened, everything else is a photo itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import IO

from captioner.datasets.photos import archives, remote, tables
from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.search import ARCHIVES, TABLES, Search, is_sidecar
from captioner.datasets.photos.sources import opened
from captioner.errors import CaptionerError, ImageError, kept, why_unread


def photos(
    files: Iterable[str | ImageError],
    column: str | None = None,
    wanted: Callable[[str], bool] = lambda path: True,
    read: bool = True,
    search: Search | None = None,
    keep: Sequence[str] = (),
) -> Iterator[Photo | ImageError]:
    """The wanted photos in a stream of files; in place of one that cannot be had, the error.

    `column` is that of a table, of which the columns `keep` come with each photo. Of an archive
    only the photos wanted are read, and without `read` only their names. `search` is what
    `sources.files` was given: archives hold what folders do.
    """
    for item in files:
        packed = isinstance(item, str) and item.lower().endswith(ARCHIVES)
        if isinstance(item, ImageError):
            found: Iterable[Photo | ImageError] = [item]
        elif item.lower().endswith(TABLES):
            found = _contents(item, partial(tables.rows, column=column, keep=keep))
        elif packed:
            found = _contents(item, partial(archives.members, search=search or Search()))
        elif remote.is_remote(item):
            found = [Photo(item, partial(remote.read, item))]
        else:
            found = [Photo(item, item)]
        for photo in found:
            if wanted(photo.path):
                yield _at_hand(photo) if packed and read else photo


def check_tables(
    inputs: Iterable[str], column: str | None = None, keep: Sequence[str] = ()
) -> None:
    """Raise CaptionerError for a table among `inputs` that lacks a column or is none, so that its
    first row cannot be had."""
    for name in inputs:
        if name.lower().endswith(TABLES) and not is_sidecar(name):
            try:
                with closing(opened(name)) as file:
                    next(tables.rows(name, file, column, keep), None)
            except OSError:
                continue  # a row will say so


def _contents(
    name: str, members: Callable[[str, IO[bytes]], Iterator[Photo | ImageError]]
) -> Iterator[Photo | ImageError]:
    try:
        with closing(opened(name)) as file:
            yield from members(name, file)
    except (OSError, CaptionerError) as error:
        yield ImageError(name, why_unread(error).removeprefix(f"{name}: "))


def _at_hand(item: Photo | ImageError) -> Photo | ImageError:
    """The photo with its bytes read."""
    if isinstance(item, ImageError) or not callable(item.content):
        return item
    try:
        return replace(item, content=item.read())
    except ImageError as error:
        return kept(error)
