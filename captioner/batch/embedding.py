"""A caption inside a photo's own file, of which no pixel changes.

It goes where photo managers look: XMP's `dc:description` and alternative text, EXIF's
ImageDescription, and IPTC's caption where the photo has one already, as the Metadata Working Group
(Guidelines for Handling Image Metadata, 2.0) has it. Exiv2, by which digiKam, darktable and GIMP do
the same, writes it.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

from PIL import Image, ImageSequence

from captioner.batch.descriptions import is_data
from captioner.errors import ImageError
from captioner.extras import needed

KINDS = ("JPEG", "MPO", "PNG", "WEBP", "TIFF")  # MPO: a JPEG with further pictures behind it
_IN_XMP = ("Xmp.dc.description", "Xmp.iptc.AltTextAccessibility")
_IN_EXIF = "Exif.Image.ImageDescription"
_IN_IPTC = "Iptc.Application2.Caption"


def exiv2() -> Any:
    """The package of that name, silent. Raises CaptionerError where it is not installed."""
    with needed("writing into photos needs the package exiv2", "embed"):
        import exiv2
    exiv2.LogMsg.setLevel(exiv2.LogMsg.Level.mute)
    return exiv2


def embedded(name: str, photo: bytes, text: str) -> bytes:
    """The photo's file with this caption in it. Raises ImageError, under `name`, where it cannot
    hold one, or would not show the same pixels afterwards."""
    before = _pixels(name, photo)
    library = exiv2()
    try:
        image = library.ImageFactory.open(photo)
        image.readMetadata()
        _set(library, image, text)
        image.writeMetadata()
        written = bytes(image.io().data())
    except library.Exiv2Error as error:
        raise ImageError(name, f"its metadata cannot be written ({error.message})") from None
    if _pixels(name, written) != before:
        raise ImageError(name, "its metadata cannot be written without changing its pixels")
    return written


def _set(library: Any, image: Any, text: str) -> None:
    xmp, exif, iptc = image.xmpData(), image.exifData(), image.iptcData()
    for key in _IN_XMP:
        there = xmp.findKey(library.XmpKey(key))
        other = {}
        if there != xmp.end() and there.typeId() == library.TypeId.langAlt:
            other = dict(there.getValue())
        xmp[key] = library.LangAltValue({**other, "x-default": text})
    there = exif.findKey(library.ExifKey(_IN_EXIF))
    if there == exif.end() or not is_data(there.toString()):
        exif[_IN_EXIF] = text
    if iptc.findKey(library.IptcKey(_IN_IPTC)) != iptc.end():
        iptc[_IN_IPTC] = text


def _pixels(name: str, photo: bytes) -> bytes:
    """A digest of all that the photo shows, its colours' profile and its turn included."""
    digest = hashlib.sha256()
    try:
        with Image.open(io.BytesIO(photo)) as image:
            if image.format not in KINDS:
                kinds = "JPEG, PNG, WebP and TIFF"
                reason = f"is {image.format}; a caption goes into {kinds}, take --format xmp"
                raise ImageError(name, reason)
            digest.update(repr((image.info.get("icc_profile"), image.getexif().get(274))).encode())
            for frame in ImageSequence.Iterator(image):
                digest.update(repr((frame.mode, frame.size, frame.getpalette())).encode())
                digest.update(frame.tobytes())
    except ImageError:
        raise
    except Exception as error:  # damaged data can trip a decoder in any way
        raise ImageError(name, f"cannot be decoded whole ({error})") from None
    return digest.digest()
