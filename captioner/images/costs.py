"""What decoding a picture takes, told from its header: bytes of memory, seconds of processor."""

from __future__ import annotations

import io
from typing import IO

from PIL import ExifTags, Image, ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    ROWSPERSTRIP,
    SAMPLESPERPIXEL,
    STRIPOFFSETS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    TiffImageFile,
)

from captioner.images import jpeg2000

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # bytes a pixel; else 4
_WORKING = {"WEBP": 20, "AVIF": 14, "HEIF": 8}
"""Bytes a pixel that a decoder needs besides the picture: measured, the worst kind of each."""
_RATES = {
    "WEBP": (40e6, 20e6),
    "AVIF": (30e6, 6e6),
    "HEIF": (25e6, 8e6),
    "JPEG2000": (20e6, 4e6),
}
"""Pixels and bytes of the file that a second decodes where nothing stops a decoder at its work."""
_SCAN_RATE = 60e6  # pixels of a TIFF that a second decodes, once over
_PART = 1024  # bytes of a JPEG
_DEEPEST = 5  # bytes of a file that a sample can take


def stored(image: Image.Image) -> int:
    """Bytes a pixel of the decoded picture."""
    return _STORED.get(image.mode, 4)


def decoding_bytes(image: ImageFile.ImageFile, whole: tuple[int, int]) -> float:
    """The memory that decoding takes, the picture included.

    `whole` is the size in the file, of which a smaller picture may have been asked for.
    """
    pixels = image.width * image.height
    working: float = _WORKING.get(image.format or "", 0) * pixels
    if isinstance(image, JpegImageFile):
        working = _coefficients(image, whole)
    elif isinstance(image, TiffImageFile):
        working = _strip(image)
        if image.tag_v2.get(ExifTags.Base.Orientation, 1) != 1:
            working += stored(image) * pixels  # Pillow turns a TIFF itself
    elif image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
        working *= 2
    elif isinstance(image, Jpeg2KImageFile):
        working = 5 * len(image.getbands()) * pixels + jpeg2000.coding_of(image).structures
    elif image.format == "PPM" and image.tile[0].codec_name == "ppm_plain":  # PIL's, in Python
        working = 9 * len(image.getbands()) * pixels
    return stored(image) * pixels + working


def decoding_seconds(image: ImageFile.ImageFile) -> float:
    """The processor time that decoding takes, as far as nothing else ends it."""
    if image.fp is None:
        return 0.0
    pixels = image.width * image.height
    if isinstance(image, TiffImageFile):
        return pixels * _scans(image) / _SCAN_RATE
    if image.format not in _RATES:
        return 0.0
    in_pixels, in_bytes = _RATES[image.format]
    most = _DEEPEST * len(image.getbands()) * pixels
    return pixels / in_pixels + min(_length(image.fp), most) / in_bytes


def feed_slowly(image: ImageFile.ImageFile) -> None:
    """Have a JPEG of several scans read in small parts: each may hold many scans of all its pixels,
    and only between parts can it be given up."""
    if isinstance(image, JpegImageFile) and "progressive" in image.info:
        image.decodermaxblock = _PART


def _scans(image: TiffImageFile) -> float:
    """How often libtiff goes over a pixel: once, or for each scan of the JPEGs in the file."""
    if "jpeg" not in image.info.get("compression", "") or image.fp is None:
        return 1.0
    image.fp.seek(0)
    starts = image.fp.read().count(b"\xff\xda")
    parts = len(image.tag_v2.get(STRIPOFFSETS, image.tag_v2.get(TILEOFFSETS, ()))) or 1
    return max(1.0, starts / parts)


def _length(file: IO[bytes]) -> int:
    place = file.tell()
    length = file.seek(0, io.SEEK_END)
    file.seek(place)
    return length


def _coefficients(image: JpegImageFile, whole: tuple[int, int]) -> float:
    """A JPEG of several scans is held as coefficients of 16 bits, at its whole size."""
    components = image.layer
    if not components or not ("progressive" in image.info or _has_scans(image)):
        return 0
    across, down = (max(layer[i] for layer in components) or 1 for i in (1, 2))
    samples = sum(layer[1] * layer[2] for layer in components) / (across * down)
    return 2 * samples * whole[0] * whole[1]


def _has_scans(image: JpegImageFile) -> bool:
    """Whether the first scan, whose header was the last that was read, lacks a component."""
    assert image.fp is not None
    count, end = len(image.layer), image.fp.tell()
    header = b"\xff\xda" + (6 + 2 * count).to_bytes(2, "big") + bytes([count])
    image.fp.seek(max(0, end - len(header) - 2 * count - 3))
    found = image.fp.read(len(header))
    image.fp.seek(end)
    return found != header


def _strip(image: TiffImageFile) -> float:
    """libtiff holds a strip, or a tile, as it is in the file and as it is decoded."""
    if not image.use_load_libtiff:
        return 0
    tags = image.tag_v2
    width = tags.get(TILEWIDTH, image.width)
    rows = tags.get(TILELENGTH, min(tags.get(ROWSPERSTRIP, image.height), image.height))
    bits = sum(tags.get(BITSPERSAMPLE, (1,))) or tags.get(SAMPLESPERPIXEL, 1)
    decoded = width * rows * max(bits / 8, 4 if image.mode == "RGB" else 0)
    return 1.2 * decoded + (min(decoded, _length(image.fp)) if image.fp else 0)
