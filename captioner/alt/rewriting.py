"""A file's new contents in the place of the old, and all else about the file kept."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from captioner.files import drafts, flush, sync_folder, unwritable


def rewrite(path: Path, data: bytes) -> None:
    """Give the file those contents, whole or not at all; owner, mode and attributes stay.

    A file with several names (hard links), or whose owner or attributes cannot be kept by another
    in its place, is written where it is, with a copy beside it until all of it is on the disk. A
    link is followed. Raises CaptionerError where it cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        with drafts(target.parent) as room:
            draft = room / target.name
            with open(draft, "wb") as file:
                file.write(data)
                flush(file)
            like = target.stat()
            if like.st_nlink == 1 and _takes_after(draft, target, like):
                os.replace(draft, target)
            else:
                _overwrite(target, data)
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def _takes_after(draft: Path, target: Path, like: os.stat_result) -> bool:
    """Whether the draft could be given the file's owner, mode and attributes."""
    try:
        if hasattr(os, "chown"):
            os.chown(draft, like.st_uid, like.st_gid)
        draft.chmod(stat.S_IMODE(like.st_mode))
        if hasattr(os, "listxattr"):  # Linux
            for name in os.listxattr(target):
                os.setxattr(draft, name, os.getxattr(target, name))
    except OSError:
        return False
    return True


def _overwrite(target: Path, data: bytes) -> None:
    with open(target, "r+b") as file:
        file.write(data)
        file.truncate()
        with suppress(OSError):  # a file system that cannot promise more
            flush(file)
