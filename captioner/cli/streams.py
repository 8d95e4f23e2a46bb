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
    sys.stdin = sys.stdin or _Closed("standard input")
    sys.stdout = _Output(sys.stdout or _Closed("standard output"))
    sys.stderr = _Messages(sys.stderr or io.StringIO())
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def flush() -> None:
    """Bring out what is still to be written. Raises CaptionerError where that cannot be."""
    sys.stdout.flush()
    sys.stderr.flush()


class _Around:
    """A stream with another way to write."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def write(self, text: str) -> int:
        raise NotImplementedError


class _Output(_Around):
    _failure: CaptionerError | None = None  # raised again: some libraries try, and try again

    def write(self, text: str) -> int:
        return int(self._tried(self._stream.write, text))

    def flush(self) -> None:
        self._tried(self._stream.flush)

    def _tried(self, write: Any, *text: str) -> Any:
        if self._failure is not None:
            raise self._failure
        try:
            return write(*text)
        except BrokenPipeError:
            _divert(1)
            raise  # who reads has seen enough
        except OSError as error:
            _divert(1)  # what is left would fail once more as the program ends
            reason = error.strerror or error
            self._failure = CaptionerError(
                f"standard output: cannot be written: {reason}; choose another place."
            )
        raise self._failure


class _Messages(_Around):
    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            _divert(2)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            _divert(2)


class _Closed(io.TextIOWrapper):
    """A stream that somebody closed before the program began."""

    def __init__(self, name: str) -> None:
        super().__init__(_Refusing(name), encoding="utf-8", write_through=True)


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
