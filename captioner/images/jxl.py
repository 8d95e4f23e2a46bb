"""The size of a JPEG XL picture, told from its header: Pillow's plugin decodes when it opens."""

from __future__ import annotations

import io
from typing import IO

from captioner.images.limits import Allowed

BARE = b"\xff\x0a"
BOXED = b"\0\0\0\x0cJXL \r\n\x87\n"
BYTES = 20  # of memory that a pixel takes while it is decoded
RATE, BYTE_RATE = 40e6, 5e6  # pixels and bytes of the file that a second decodes

_BOXES = 1000  # that are gone through for the picture
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def check(file: IO[bytes], allowed: Allowed) -> None:
    """Raises TooMuch for a picture that may not be decoded, SyntaxError for a damaged header."""
    width, height = size(file)
    allowed.check_pixels(width, height)
    allowed.check_bytes(BYTES * width * height)
    allowed.check_seconds(width * height / RATE + file.seek(0, io.SEEK_END) / BYTE_RATE)


def size(file: IO[bytes]) -> tuple[int, int]:
    """Width and height, by ISO/IEC 18181-1:2024, annex D.2 (SizeHeader). Raises SyntaxError."""
    bits = int.from_bytes(_picture(file)[2:16].ljust(14, b"\0"), "little")

    def take(count: int) -> int:
        nonlocal bits
        value, bits = bits & ((1 << count) - 1), bits >> count
        return value

    def side(in_eights: bool) -> int:
        if in_eights:
            return 8 * (1 + take(5))
        return 1 + take((9, 13, 18, 30)[take(2)])

    in_eights = bool(take(1))
    height = side(in_eights)
    ratio = take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return side(in_eights), height


def _picture(file: IO[bytes]) -> bytes:
    """The first bytes of the codestream, which a file may hold in a box of its own."""
    file.seek(0)
    if file.read(2) == BARE:
        file.seek(0)
        return file.read(16)
    place = 0
    for _ in range(_BOXES):
        file.seek(place)
        head = file.read(16)
        length, kind, body = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, body = int.from_bytes(head[8:16], "big"), 16
        if kind in (b"jxlc", b"jxlp"):
            file.seek(place + body + (4 if kind == b"jxlp" else 0))
            start = file.read(16)
            if start.startswith(BARE):
                return start
        if length < body:
            break
        place += length
    raise SyntaxError("no JPEG XL picture")
