"""JPEG 2000 at a half, a quarter, an eighth …: the file holds the picture in such steps."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

# Markers of the codestream, ISO/IEC 15444-1, annex A.
_START = b"\xff\x4f\xff\x51"
_SIZES, _CODING, _CODING_OF_ONE, _TILE = 0xFF51, 0xFF52, 0xFF53, 0xFF90
_HEADER = 1 << 24  # bytes in which the codestream has to begin
_BLOCK_BYTES, _TILE_BYTES, _CHANNEL_BYTES = 500, 8_000, 1_500
"""What OpenJPEG 2.5 holds of each block, tile, and channel of a tile, decoded or not."""


@dataclass(frozen=True)
class Coding:
    """How the picture is cut up and coded."""

    at_origin: bool
    halvings: int
    structures: float  # bytes of memory for blocks and tiles


def draft(image: Jpeg2KImageFile, target: int) -> None:
    """Have the smallest step decoded that has `target` pixels on its shorter side.

    Done here and not with Pillow's `reduce`, which rounds sizes otherwise than the decoder and
    then fails. Raises ValueError for a damaged header.
    """
    coding = coding_of(image)
    steps = coding.halvings if coding.at_origin else 0
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


def coding_of(image: Jpeg2KImageFile) -> Coding:
    """What the codestream's header says. Raises ValueError for a damaged one."""
    assert image.fp is not None
    place = image.fp.tell()
    try:
        return _read(image.fp)
    except (struct.error, ZeroDivisionError):
        raise ValueError("its header is damaged") from None
    finally:
        image.fp.seek(place)


def _read(file: IO[bytes]) -> Coding:
    file.seek(0)
    data = file.read(_HEADER)
    place = data.find(_START) + 2
    if place < 2:
        raise ValueError("it has no codestream")
    right, bottom, left, top, *tile, channels = struct.unpack_from(">8IH", data, place + 6)
    tiles = -(-(right - tile[2]) // tile[0]) * -(-(bottom - tile[3]) // tile[1])
    styles = list(_styles(data, place, channels))
    area = (right - left) * (bottom - top)
    blocks = tiles + max((_blocks(area, *style) for style in styles), default=0)
    return Coding(
        at_origin=(left, top) == (0, 0),
        halvings=min((len(precincts) - 1 for _, precincts in styles), default=0),
        structures=channels * _BLOCK_BYTES * blocks
        + tiles * (_TILE_BYTES + channels * _CHANNEL_BYTES),
    )


_Exponents = tuple[int, int]


def _styles(
    data: bytes, place: int, channels: int
) -> Iterator[tuple[_Exponents, list[_Exponents]]]:
    """The size of blocks, and of precincts in each step, as powers of two: for all the picture,
    and for those of its channels that are coded otherwise."""
    while True:
        marker, length = struct.unpack_from(">HH", data, place)
        if marker == _TILE:
            return
        if marker in (_CODING, _CODING_OF_ONE):
            at = place + (9 if marker == _CODING else 6 + (channels > 256))
            steps, across, down = struct.unpack_from("3B", data, at)
            precincts = [(15, 15)] * (steps + 1)
            if data[at - 5 if marker == _CODING else at - 1] & 1:
                sizes = struct.unpack_from(f"{steps + 1}B", data, at + 5)
                precincts = [(size & 15, size >> 4) for size in sizes]
            yield (across + 2, down + 2), precincts
        place += 2 + length


def _blocks(area: int, block: _Exponents, precincts: list[_Exponents]) -> float:
    """How many blocks a channel has: a precinct may be smaller than a block is said to be."""
    count = 0.0
    for step, precinct in enumerate(precincts):
        halved = step > 0  # precincts are those of the step, blocks those of its four parts
        sides = (
            min(side, max(0, most - halved)) for side, most in zip(block, precinct, strict=True)
        )
        count += area / 4 ** (len(precincts) - 1 - step) / 2 ** sum(sides)
    return count
