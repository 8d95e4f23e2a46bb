"""Files that are there whole or not at all, and that outlast a power cut."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from captioner.errors import CaptionerError


@contextmanager
def whole_file(path: Path, mode: str, **how: Any) -> Iterator[IO[Any]]:
    """A file to write that takes `path`'s place once it is complete; until then that is as it was.

    Text is UTF-8. Raises CaptionerError where it cannot be written. A device or a pipe is written
    directly.
    """
    if "b" not in mode:
        how.setdefault("encoding", "utf-8")
    try:
        target = Path(os.path.realpath(path))
        if not is_plain(target):
            with open(target, mode, **how) as file:
                yield file
            return
        draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            with open(draft, mode, **how) as file:
                yield file
                flush(file)
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(target.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def replace_file(draft: Path, target: Path) -> None:
    """Put a file that is complete and on disk into the place of another."""
    real = Path(os.path.realpath(target))
    os.replace(draft, real)
    sync_folder(real.parent)


def flush(file: IO[Any]) -> None:
    """Bring everything written so far onto the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder onto the disk, where the file system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def is_plain(path: Path) -> bool:
    """Whether this is a file like any other, or may become one: no pipe, no device."""
    return not path.exists() or stat.S_ISREG(path.stat().st_mode)


def unwritable(path: Path, error: OSError) -> CaptionerError:
    advice = "make its folder first" if error.errno == errno.ENOENT else "choose another place"
    return CaptionerError(f"{path}: cannot be written: {error.strerror or error}; {advice}.")


def broken_off(path: Path, error: OSError) -> CaptionerError:
    """What to say when a disk is full, or gone, in the middle of a run."""
    reason = error.strerror or error
    return CaptionerError(f"{path}: cannot be written: {reason}; that mended, --resume continues.")
