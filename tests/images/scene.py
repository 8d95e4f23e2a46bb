"""A scene that no turn leaves as it is, and pictures of it."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from captioner.images import open_image

Pixels = npt.NDArray[np.uint8]


ORIENTATION = 0x0112


def scene(height: int = 24, width: int = 40) -> Pixels:
    """Four flat colours in unequal parts: no turn and no flip of it looks like another."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:] = (200, 40, 60)
    pixels[: height // 3] = (20, 90, 220)
    pixels[:, : width // 4] = (250, 220, 30)
    pixels[: height // 3, : width // 4] = (10, 160, 70)
    return pixels


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels_of(source: Any, **options: Any) -> Pixels:
    image = open_image(source, **options)
    assert type(image) is Image.Image and image.mode == "RGB"
    return np.asarray(image)


def assert_near(actual: Pixels, expected: npt.ArrayLike, within: float) -> None:
    assert actual.shape == np.shape(expected)
    assert np.abs(actual.astype(float) - np.asarray(expected, float)).max() <= within


def over_white(colour: npt.ArrayLike, alpha: npt.ArrayLike) -> npt.NDArray[np.float64]:
    share = np.asarray(alpha, float)[..., None] / 255
    return np.asarray(colour, float) * share + 255 * (1 - share)


TURNS = {  # EXIF 2.3, table 6: which side of the scene the first row and the first column show
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def png(
    width: int, height: int, rows: npt.NDArray[Any] | None, bits: int = 8, kind: int = 0
) -> bytes:
    """Write a PNG by hand (`kind` 0: grey, 2: RGB); without rows it holds less than it claims."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    lines = b"" if rows is None else b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
