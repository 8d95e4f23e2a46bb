"""Standard input, output and error that are closed, full, or left by whoever read them."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from captioner.errors import CaptionerError, shown


def tell(message: str) -> None:
    """A sentence on standard error; what would steer a terminal is shown, not obeyed."""
    print(f"captioner: {shown(message)}", file=sys.stderr, flush=True)


@contextmanager
def secured() -> Iterator[None]:
    """See to it that what is written to a stream arrives or ends in a sentence.

    Standard output that takes no more raises CaptionerError. Standard error is for people: where
    nobody reads it any more the run goes on. A stream that was closed stays so, but its number is
    taken, lest the next file that is opened gets it, and what somebody prints.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, this one
            setattr(sys, name, None)
    sys.stdin = sys.stdin or _closed("standard input")
    sys.stdout = _Output(sys.stdout or _closed("standard output"), 1)
    sys.stderr = _Messages(sys.stderr or io.StringIO(), 2)
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def flush() -> None:
    """Bring out what is still to be written. Raises CaptionerError where that cannot be."""
    sys.stdout.flush()
    sys.stderr.flush()


class _Messages:
    """Standard error: where nobody reads it any more, nothing comes of that."""

    def __init__(self, stream: IO[str], number: int) -> None:
        self._stream, self._number = stream, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def write(self, text: str) -> int:
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, write: Any, *text: str) -> None:
        try:
            write(*text)
        except OSError as error:
            _divert(self._number)  # what is left would fail once more as the program ends
            self._fail(error)

    def _fail(self, error: OSError) -> None: ...


class _Output(_Messages):
    """Standard output: where it takes no more, the run ends."""

    _failure: CaptionerError | None = None  # raised again: some libraries try, and try again

    def _try(self, write: Any, *text: str) -> None:
        if self._failure is not None:
            raise self._failure
        super()._try(write, *text)

    def _fail(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error  # who reads has seen enough
        reason = error.strerror or error
        self._failure = CaptionerError(
            f"standard output: cannot be written: {reason}; choose another place."
        )
        raise self._failure


def _closed(name: str) -> io.TextIOWrapper:
    """A stream that somebody closed before the program began."""
    return io.TextIOWrapper(_Refusing(name), encoding="utf-8", write_through=True)


class _Refusing(io.RawIOBase):
    def __init__(self, name: str) -> None:
        self.name = name

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise CaptionerError(f"{self.name} is closed.")

    def write(self, data: Any) -> int:
        raise OSError(errno.EBADF, "it is closed")


def _divert(number: int) -> None:
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)
