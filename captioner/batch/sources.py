"""Where photos come from: what a user names becomes a stream of paths, in a stable order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from captioner.errors import ImageError
from captioner.images import IMAGE_SUFFIXES


def photos(inputs: Iterable[str]) -> Iterator[str | ImageError]:
    """The paths that files and folders stand for; in place of one that cannot be had, the error.

    A file is taken whatever its name. A folder stands for the pictures in it and below, by name,
    hidden ones left out; a link that leads back into its own folder is not followed.
    """
    for name in inputs:
        try:
            mode = os.stat(name).st_mode
        except (OSError, ValueError) as error:
            yield ImageError(name, _reason(error))
            continue
        if stat.S_ISDIR(mode):
            yield from _folder(name)
        elif stat.S_ISREG(mode):
            yield name
        else:
            yield ImageError(name, "neither a file nor a folder")


def _folder(name: str) -> Iterator[str | ImageError]:
    found = False
    for photo in _walk(name, ()):
        found = True
        yield photo
    if not found:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        yield ImageError(name, f"no pictures in this folder (looked for {kinds})")


def _walk(folder: str, above: tuple[tuple[int, int], ...]) -> Iterator[str | ImageError]:
    """`above` identifies the folders that lead here, to notice a link back to one of them."""
    try:
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            return
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        yield ImageError(folder, _reason(error))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry.path, (*above, identity))
        elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:
            yield entry.path


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
