"""PNG beyond Pillow: notes behind the pixels, and the transparent colour where it is not 8 bits."""

from __future__ import annotations

import io
import struct
from typing import IO

from PIL.PngImagePlugin import PngImageFile

_CHUNKS = 100_000  # that are gone through for the notes
_LEVELS = {"L;2": 255 // 3, "L;4": 255 // 15, "RGB;16B": 1 / 257}
"""How Pillow scales the numbers of the file to its own, by its name for them."""


def notes(image: PngImageFile) -> tuple[bytes, bytes]:
    """The EXIF and the XMP, wherever they are, without decoding the pixels before them.

    Raises struct.error, OSError or ValueError for a damaged file.
    """
    exif: bytes = image.info.get("exif", b"")
    if not exif and "Raw profile type exif" in image.info:  # as ImageMagick writes it
        exif = bytes.fromhex("".join(image.info["Raw profile type exif"].split("\n")[3:]))
    if not exif and image.fp is not None:
        exif = _late_notes(image.fp)
    return exif, str(image.info.get("XML:com.adobe.xmp", "")).encode()


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
