"""PNG beyond Pillow: notes behind the pixels, and the transparent colour where it is not 8 bits."""

from __future__ import annotations

import io
import struct
from typing import IO

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

_CHUNKS = 100_000  # that are gone through for the notes
_LEVELS = {"L;2": 255 // 3, "L;4": 255 // 15, "RGB;16B": 1 / 257}
"""How Pillow scales the numbers of the file to its own, by its name for them."""


def notes(image: PngImageFile) -> Image.Exif:
    """The EXIF, wherever it is, without decoding the pixels, as Pillow does to reach what follows.

    Raises struct.error or OSError for a damaged file.
    """
    if "exif" not in image.info and image.fp is not None and (late := _late_notes(image.fp)):
        image.info["exif"] = b"Exif\0\0" + late
    return Image.Image.getexif(image)


def _late_notes(file: IO[bytes]) -> bytes:
    place = file.tell()
    try:
        file.seek(8)
        for _ in range(_CHUNKS):
            length, kind = struct.unpack(">I4s", file.read(8))
            if kind == b"eXIf":
                return file.read(length)
            if kind == b"IEND":
                break
            file.seek(length + 4, io.SEEK_CUR)
        return b""
    finally:
        file.seek(place)


def mend(image: PngImageFile) -> None:
    """Before it is decoded: bring the transparent colour to the scale of the pixels to come."""
    colour, scale = image.info.get("transparency"), _LEVELS.get(str(image.tile[0].args))
    if scale and isinstance(colour, tuple):
        image.info["transparency"] = tuple(int(channel * scale) for channel in colour)
    elif scale and isinstance(colour, int):
        image.info["transparency"] = int(colour * scale)
