"""JPEG 2000 at a half, a quarter, an eighth …: the file holds the picture in such steps."""

from __future__ import annotations

import struct
from typing import IO

from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

# Markers of the codestream, ISO/IEC 15444-1, annex A.
_START = b"\xff\x4f\xff\x51"
_SIZES, _CODING, _TILE = 0xFF51, 0xFF52, 0xFF90
_HEADER = 1 << 20  # bytes in which the codestream has to begin


def draft(image: Jpeg2KImageFile, target: int) -> None:
    """Have the smallest of them decoded that has `target` pixels on its shorter side.

    Done here and not with Pillow's `reduce`, which rounds sizes otherwise than the decoder and
    then fails.
    """
    assert image.fp is not None
    place = image.fp.tell()
    steps = _steps(image.fp)
    image.fp.seek(place)
    shorter = min(image.size)
    while steps and -(-shorter >> steps) < target:
        steps -= 1
    if not steps:
        return
    (tile,) = image.tile
    assert isinstance(tile.args, tuple)
    codec, _, layers, *file = tile.args
    width, height = (-(-side >> steps) for side in image.size)
    image._size = width, height
    args = (codec, steps, layers, *file)
    image.tile = [tile._replace(extents=(0, 0, width, height), args=args)]


def _steps(file: IO[bytes]) -> int:
    """How often the picture can be halved; 0 where that is not told or does not begin at (0, 0)."""
    file.seek(0)
    data = file.read(_HEADER)
    place = data.find(_START) + 2
    try:
        while place >= 2:
            marker, length = struct.unpack_from(">HH", data, place)
            if marker == _SIZES and any(struct.unpack_from(">2I", data, place + 14)):
                return 0
            if marker == _CODING:
                return int(data[place + 9])
            if marker == _TILE:
                return 0
            place += 2 + length
    except (struct.error, IndexError):
        pass
    return 0
