"""The kinds of files that are opened, and opening one as far as its header."""

from __future__ import annotations

import importlib
import re
import struct
from collections.abc import Callable
from typing import IO, Any, cast

from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError

from captioner.images import jxl, notes
from captioner.images.limits import Allowed

# Left out: formats that call another program (EPS), hide a second picture of another size (ICO),
# or have no signature by which to know them (TGA).
FORMATS = (
    *("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF"),
    *("HEIF", "JXL"),  # other packages'
)
for _name in ("Jpeg", "Png", "Gif", "WebP", "Bmp", "Tiff", "Ppm", "Jpeg2K", "Avif"):
    importlib.import_module(f"PIL.{_name}ImagePlugin")
SUFFIXES = frozenset(
    ".avif .bmp .gif .heic .heif .hif .j2k .jfif .jif .jp2 .jpe .jpeg .jpf .jpg .jpx .jxl"  # noqa: SIM905
    " .mpo .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)
"""What a folder is searched for: lower case, with the dot."""

_HEIF = re.compile(rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)


class Jpeg(JpegImagePlugin.JpegImageFile):
    """A JPEG whose notes Pillow does not read; of several pictures in it (MPO) the first."""

    def _read_dpi_from_exif(self) -> None: ...


class NotInstalled(Exception):
    """A picture for whose kind a plugin is missing; the message says which."""


def opened(file: IO[bytes], allowed: Allowed) -> ImageFile.ImageFile:
    """The picture with its header read, as by `Image.open`, whose limit is the whole process's.

    Raises UnidentifiedImageError for a file of no kind that is known, NotInstalled, TooMuch, and
    whatever the header of a damaged file trips.
    """
    file.seek(0)
    start = file.read(16)
    error: Exception | None = None
    for name in FORMATS:
        if not _begins(name, start):
            continue
        if name == "JXL":  # its plugin decodes at once
            jxl.check(file, allowed)
        if name in ("AVIF", "HEIF"):  # whose notes are read at once
            file.seek(0)
            allowed.check_bytes(notes.weight(file.read()))
        factory = _factory(name)
        file.seek(0)
        try:
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error) as mistake:
            error = mistake
    try:
        raise error or UnidentifiedImageError("no picture")
    finally:
        del error  # it would hold this frame, and with it the file, until rubbish is collected


def _begins(name: str, start: bytes) -> bool:
    if name == "HEIF":
        return bool(_HEIF.match(start))
    if name == "JXL":
        return start.startswith((jxl.BARE, jxl.BOXED))
    accept = Image.OPEN[name][1]
    return accept is None or accept(start) is True


def _factory(name: str) -> Callable[[IO[bytes], str], ImageFile.ImageFile]:
    if name == "JPEG":
        return Jpeg
    try:
        if name == "HEIF":
            return cast(Any, importlib.import_module("pillow_heif").HeifImageFile)
        if name == "JXL":
            return cast(Any, importlib.import_module("pillow_jxl.JpegXLImagePlugin").JXLImageFile)
    except ImportError:
        raise NotInstalled(name) from None
    return cast(Any, Image.OPEN[name][0])
