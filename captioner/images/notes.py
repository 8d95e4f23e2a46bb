"""A photo's notes (EXIF, XMP), of which the orientation alone is read, and turning it upright.

Pillow copies what every note refers to: a megabyte of notes that refer to each other takes
gigabytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from captioner.images import png

_ORIENTATION = 0x0112
_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Bytes that a number of each type takes: TIFF 6.0, section 2."""
_NUMBERS = {1: "B", 3: "H", 4: "I"}


def exif_orientation(exif: bytes) -> int | None:
    """How the pixels lie, 1 to 8, by an EXIF block; None where it does not tell."""
    exif = exif.removeprefix(b"Exif\0\0")
    order = "<" if exif.startswith(b"II") else ">"
    for tag, kind, _, value in _entries(exif, 0):
        if tag == _ORIENTATION and kind in _NUMBERS:
            (number,) = struct.unpack_from(order + _NUMBERS[kind], value)
            return int(number) if 1 <= number <= 8 else None
    return None


def xmp_orientation(xmp: bytes) -> int | None:
    """How the pixels lie, 1 to 8, by an XMP packet; None where it does not tell."""
    found = _XMP.search(xmp)
    return int(found[1]) if found else None


def weight(file: bytes) -> int:
    """The bytes that all notes in a file refer to, wherever in it they are.

    Each is counted as often as it is referred to.
    """
    starts = (match.start() for match in re.finditer(rb"II\*\0|MM\0\*", file))
    return sum(
        min(count * _SIZES.get(kind, 1), len(file))
        for start in starts
        for _, kind, count, _ in _entries(file, start)
    )


def _entries(file: bytes, start: int) -> Iterator[tuple[int, int, int, bytes]]:
    """The entries of the first directory: tag, type, count, and the four bytes of the value."""
    order = "<" if file[start : start + 2] == b"II" else ">"
    try:
        (place,) = struct.unpack_from(order + "4xI", file, start)
        (count,) = struct.unpack_from(order + "H", file, start + place)
        for entry in range(count):
            yield struct.unpack_from(order + "HHI4s", file, start + place + 2 + 12 * entry)
    except struct.error:  # damaged notes do not cost the photo
        return


def orientation(image: Image.Image) -> int:
    """EXIF's number, 1 to 8, of how the pixels lie; 1, upright, where nothing tells.

    Pillow turns a TIFF itself, and says the size that it then has; the decoder of JPEG XL turns the
    picture, unless that holds a whole JPEG.
    """
    turned_by_the_decoder = isinstance(image, TiffImageFile) or (
        image.format == "JXL" and not getattr(image, "jpeg", False)
    )
    if turned_by_the_decoder:
        return 1
    info: Mapping[Any, Any] = image.info
    if isinstance(image, PngImageFile):
        with suppress(Exception):  # a photo whose notes are damaged is still a photo
            info = png.notes(image)
    exif, xmp = info.get("exif"), info.get("xmp")
    lies = exif_orientation(exif) if isinstance(exif, bytes) else None
    if lies is None and isinstance(xmp, bytes):
        lies = xmp_orientation(xmp)
    return lies or 1


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture upright, if its pixels lie as that orientation says."""
    if orientation == 1:
        return picture
    picture.getexif()[ExifTags.Base.Orientation] = orientation
    return ImageOps.exif_transpose(picture)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height, upright, of a picture that was opened and not yet decoded."""
    width, height = image.size
    return (height, width) if orientation(image) > 4 else (width, height)
