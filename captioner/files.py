"""Files and folders that are there whole or not at all, and that outlast a power cut.

What is being written lies in a hidden folder beside its place, under its own name, and moves out of
it in one step. A run that was killed leaves that folder; the next that writes there clears it away.
"""

from __future__ import annotations

import errno
import os
import platform
import secrets
import shutil
import stat
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from captioner.errors import CaptionerError

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nothing is cleared away
    fcntl = None  # type: ignore[assignment]

_OTHERS = 24 * 3600  # seconds after which what a run on another machine left is cleared away too
_OLD, _NEW, _WITHIN = "old", "new", "within"


@contextmanager
def whole_file(path: Path, mode: str, *, sync: bool = True, **how: Any) -> Iterator[IO[Any]]:
    """A file to write that takes `path`'s place once it is complete; until then that is as it was.

    Text is UTF-8. Without `sync` it is whole, but may be lost with the power. A device or a pipe is
    written directly. Raises CaptionerError where it cannot be written.
    """
    if "b" not in mode:
        how.setdefault("encoding", "utf-8")
    with whole_path(path, sync=sync) as draft, _said_of(path), open(draft, mode, **how) as file:
        yield file


@contextmanager
def whole_path(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """As `whole_file`, for what writes a file by its name: an empty file, named as `path` is."""
    with _said_of(path), replacing(path, sync=sync) as draft:
        yield draft


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """As `whole_path`, but raises OSError.

    A file that is there already passes its permissions on and, where that is allowed, its owner.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not is_plain(target):
        yield target
        return
    with drafts(target.parent) as room:
        draft = room / target.name
        draft.touch()
        like = (target if target.exists() else draft).stat()
        yield draft
        if sync:
            with open(draft, "r+b") as file:
                flush(file)
        _take_after(draft, like)
        os.replace(draft, target)
    if sync:
        sync_folder(target.parent)


def rewrite(path: Path, data: bytes) -> None:
    """New contents for a file that is there; its owner, mode, attributes and links are kept.

    Another file takes its place, as with `whole_file`, unless it has several names (hard links) or
    what it is cannot be given to another: then it is written where it is. A run that is killed in
    the middle of that leaves old and new contents beside it, and the next one that writes in the
    folder, or calls `finish`, brings it to its end. Raises CaptionerError.
    """
    target = Path(os.path.realpath(path))
    with _said_of(path), drafts(target.parent) as room:
        draft = room / target.name
        _write(draft, data)
        if target.stat().st_nlink == 1 and _is_like(draft, target):
            os.replace(draft, target)
        else:
            whole = room / _WITHIN / target.name
            whole.mkdir(parents=True)
            _write(whole / _OLD, target.read_bytes())
            draft.rename(whole / _NEW)
            _overwrite(target, data)
            (whole / _NEW).unlink()
        sync_folder(target.parent)


def finish(folder: Path) -> None:
    """Bring to its end what a run that was killed was about to write in that folder."""
    with suppress(OSError):
        _clear_away(folder)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `path` when all went well.

    Whatever goes wrong, what was there is kept: between the two steps in which the folders change
    places it lies where the next run finds it and puts it back. Raises CaptionerError where the new
    one cannot be written.
    """
    target = Path(os.path.realpath(path))
    with _said_of(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        with drafts(target.parent) as room:
            draft, old = room / target.name, room / _OLD / target.name
            draft.mkdir()
            yield draft
            old.parent.mkdir()
            if target.exists():
                target.rename(old)
            draft.rename(target)
        sync_folder(target.parent)


@contextmanager
def drafts(folder: Path) -> Iterator[Path]:
    """A hidden folder in `folder` for what is not finished; gone afterwards. Raises OSError."""
    _clear_away(folder)
    while True:
        room = folder / f".captioner-{_machine()}-{secrets.token_hex(4)}.partial"
        room.mkdir()
        with _held(room):
            if not room.exists():
                continue  # another run took it for a dead one's before it was held
            try:
                yield room
            finally:
                _remove(room)
        return


@contextmanager
def _held(room: Path) -> Iterator[bool]:
    """Lock a room until the end, or that of this process, however it comes. Whether it was free."""
    if fcntl is None:
        yield False
        return
    handle = os.open(room, os.O_RDONLY)
    try:
        free = True
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or on a file system without locks, where nothing is cleared away
            free = False
        yield free
    finally:
        os.close(handle)


@cache
def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


@cache
def _clear_away(folder: Path) -> None:
    """Remove the rooms of runs that were killed, once for each folder that this process writes in.

    A lock tells the dead from the living; between machines that share a folder it may not hold.
    """
    for room in folder.glob(".captioner-*.partial"):
        with suppress(OSError, CaptionerError):
            ours = room.name.startswith(f".captioner-{_machine()}-")
            if not ours and time.time() - room.stat().st_mtime < _OTHERS:
                continue
            with _held(room) as free:
                if free:
                    _remove(room)


def _remove(room: Path) -> None:
    """Remove a room, but first finish what was being written where it is, and put back what a new
    folder was about to replace and did not."""
    for whole in (room / _WITHIN).glob("*"):
        _finish(room.parent / whole.name, whole)
    for old in (room / _OLD).glob("*"):
        if (target := room.parent / old.name).exists():
            continue
        try:
            old.rename(target)
        except OSError as error:
            raise CaptionerError(
                f"{target}: cannot be written: {error}; what was there is {old}."
            ) from None
    shutil.rmtree(room, ignore_errors=True)


def _take_after(draft: Path, like: os.stat_result) -> None:
    there = draft.stat()
    with suppress(OSError):  # only some may give a file away
        if (there.st_uid, there.st_gid) != (like.st_uid, like.st_gid):
            os.chown(draft, like.st_uid, like.st_gid)
    draft.chmod(stat.S_IMODE(like.st_mode))


def _is_like(draft: Path, target: Path) -> bool:
    """Whether the draft could be given the owner, mode and attributes of the file."""
    like = target.stat()
    try:
        os.chown(draft, like.st_uid, like.st_gid)
        draft.chmod(stat.S_IMODE(like.st_mode))
        if hasattr(os, "listxattr"):  # Linux
            for name in os.listxattr(target):
                os.setxattr(draft, name, os.getxattr(target, name))
    except OSError:
        return False
    return True


def _finish(target: Path, whole: Path) -> None:
    """Write new contents to their end, unless the file is something else than partly old and new:
    then somebody wrote it since."""
    if not target.is_file() or not (whole / _NEW).exists():
        return
    there, old, new = (path.read_bytes() for path in (target, whole / _OLD, whole / _NEW))
    pairs = enumerate(zip(there, new, strict=False))
    done = next((at for at, (one, other) in pairs if one != other), min(len(there), len(new)))
    if there[done : len(old)] == old[done:] and not there[max(done, len(old)) :].strip(b"\0"):
        _overwrite(target, new)


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        flush(file)


def _overwrite(target: Path, data: bytes) -> None:
    """Write a file where it is. A full disk is met before the first byte."""
    with open(target, "r+b") as file:
        before = os.fstat(file.fileno()).st_size
        if hasattr(os, "posix_fallocate") and len(data) > before:
            try:
                os.posix_fallocate(file.fileno(), before, len(data) - before)
            except OSError as error:
                file.truncate(before)
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
        file.write(data)
        file.truncate()
        flush(file)


@contextmanager
def _said_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, unless it is there. Raises CaptionerError."""
    with _said_of(path):
        path.mkdir(parents=True, exist_ok=True)


def free_name(stem: str, ending: str, taken: Counter[str]) -> str:
    """A name of that stem and ending, with a number between them where it is `taken`, as it is from
    now on: "dog.txt", "dog-2.txt"."""
    name = first = f"{stem}{ending}"
    while taken[name]:
        taken[first] += 1
        name = f"{stem}-{taken[first]}{ending}"
    taken[name] += 1
    return name


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
        _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_plain(path: Path) -> bool:
    """Whether this is a file like any other, or may become one: no pipe, no device."""
    return not path.exists() or stat.S_ISREG(path.stat().st_mode)


def is_taken(path: Path) -> bool:
    """Whether a file stands there that has something in it."""
    return os.path.isfile(path) and os.path.getsize(path) > 0


class Unwritable(CaptionerError):
    """A file or folder that cannot be written."""


def unwritable(path: Path, error: OSError) -> Unwritable:
    """What to say where something cannot be written."""
    advice = "make its folder first" if error.errno == errno.ENOENT else "choose another place"
    return Unwritable(f"{path}: cannot be written: {error.strerror or error}; {advice}.")


def broken_off(path: Path, error: OSError) -> CaptionerError:
    """What to say when a disk is full, or gone, in the middle of a run."""
    reason = error.strerror or error
    return CaptionerError(f"{path}: cannot be written: {reason}; that mended, --resume continues.")
