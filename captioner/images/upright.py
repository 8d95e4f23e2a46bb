"""Which way up a picture is: the orientation that its notes tell, and turning by it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from captioner.images import png
from captioner.images.notes import exif_orientation, xmp_orientation


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
