"""The errors a user of captioner can meet. Each message is one sentence to read as it stands."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TypeVar

_MEMORY = re.compile(
    r"alloc\w* (\w+ )?memory|not enough memory|bad_alloc|failed to map segment|start new thread"
    r"|failed to create thread|resource temporarily unavailable|could not create a primitive",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class CaptionerError(Exception):
    """Something the user can mend: a wrong path, a broken file, an impossible setting."""


class ImageError(CaptionerError):
    """A picture that cannot be read: `path` says which, `reason` why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        """Pickled by its parts, as worker processes hand it on."""
        return type(self), (self.path, self.reason)


Kept = TypeVar("Kept", bound=CaptionerError)


def kept(error: Kept) -> Kept:
    """An error to be kept or handed on: without the frames it came through, which hold whatever
    they had in hand, a picture's file among it."""
    error.__context__ = None
    return error.with_traceback(None)


def is_of_memory(error: BaseException) -> bool:
    """Whether it says that there is no memory left, which Python, torch and the loader of shared
    libraries each say otherwise."""
    return isinstance(error, MemoryError) or (
        isinstance(error, (RuntimeError, OSError, ImportError))
        and _MEMORY.search(str(error)) is not None
    )


def why_unread(error: Exception) -> str:
    """Why a file or folder cannot be had, in words that follow its name."""
    if isinstance(error, FileNotFoundError):
        what = "file" if PurePath(str(error.filename or "a.file")).suffix else "file or folder"
        return f"there is no such {what}; check the name"
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def shown(name: object) -> str:
    """A name as a message can hold it: what would steer a terminal is written out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(name))
