"""What one picture may take: pixels, bytes of memory, processor time."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from math import inf
from typing import IO, Any

MAX_PIXELS = 89_478_485
"""The largest picture that is decoded, PIL's own limit; of a JPEG what is left after scaling."""
MAX_BYTES = 300_000_000
"""The memory that decoding one picture may take, the result included."""
MAX_SECONDS = 2.0
"""The processor time that decoding one picture may take."""

_STOP = 0.75  # of it, after which nothing more is read: what has been begun ends within the rest
_OFTEN, _AT_LEAST = 4, 1_000_000
"""How often a file may be read, and how many bytes of a small one: its parts may refer to each
other, and each is copied."""


class TooMuch(Exception):
    """A picture that would take more than is allowed; the message is the reason."""


@dataclass(frozen=True)
class Allowed:
    """How much one picture may take, and whether it may lack its end."""

    pixels: int = MAX_PIXELS
    bytes: int = MAX_BYTES
    seconds: float = MAX_SECONDS
    held: int = 0  # bytes that the picture's file takes in memory already
    truncated: bool = False  # a JPEG without its last bytes is shown as far as it goes

    def check_pixels(self, width: int, height: int) -> None:
        """Raises TooMuch for a picture of that size."""
        if width * height > self.pixels:
            raise TooMuch(
                f"has more than the {self.pixels:,} pixels allowed; make it smaller (the command"
                " takes more with --max-pixels)"
            )

    def has_bytes(self, needed: float) -> bool:
        """Whether a picture may take so much memory besides its file."""
        return needed + self.held <= self.bytes

    def check_bytes(self, needed: float) -> None:
        """Raises TooMuch for a picture that needs so much memory besides its file."""
        if not self.has_bytes(needed):
            needed += self.held
            raise TooMuch(
                f"would take {f'{needed / 1e6:,.0f} MB of' if needed < inf else 'much'} memory,"
                f" more than the {self.bytes / 1e6:,.0f} MB allowed; save it as JPEG, or make it"
                " smaller"
            )

    def check_seconds(self, needed: float) -> None:
        """Raises TooMuch for a picture that needs so much time."""
        if needed > self.seconds:
            raise TooMuch(
                f"would take more than {self.seconds:g} seconds to decode; save it as JPEG, or"
                " make it smaller"
            )


USUAL = Allowed()


class Metered:
    """A picture's file that says TooMuch to its decoder once that has computed too long.

    PIL reads headers and most pixels piece by piece, so that what is small and takes long, such as
    a thousand scans of a JPEG or ten thousand comments in a GIF, is given up in time. What counts
    is this thread's processor time: a busy machine refuses no more than an idle one.
    """

    def __init__(self, file: IO[bytes], allowed: Allowed, end: bytes = b"") -> None:
        """`end` is read behind the file's own end, once."""
        self._file, self._allowed, self._end = file, allowed, end
        self._until = time.thread_time() + _STOP * allowed.seconds
        length = file.seek(0, io.SEEK_END)
        file.seek(0)
        self._left = _OFTEN * length + _AT_LEAST

    def read(self, size: int = -1) -> bytes:
        if time.thread_time() > self._until:
            self._allowed.check_seconds(inf)
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            self._allowed.check_bytes(inf)
        if not data and self._end:
            data, self._end = self._end, b""
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
