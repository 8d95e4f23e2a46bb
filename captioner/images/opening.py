"""A file, bytes, a PIL image or an array in; the picture upright, in RGB, out."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import IO, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile

from captioner.errors import ImageError
from captioner.images import jpeg2000, png, pnm, tiff
from captioner.images.colours import converting_bytes, from_array, is_srgb, rgb
from captioner.images.costs import decoding_bytes, decoding_seconds, feed_slowly, stored
from captioner.images.frames import first_that_shows, may_move
from captioner.images.kinds import opened
from captioner.images.limits import USUAL, Allowed, Metered, TooMuch
from captioner.images.notes import orientation, turned, upright_size
from captioner.images.reasons import damaged, unreadable, what_it_is

Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]"

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_FRAME = 24  # bytes a pixel that going through an animation takes


def open_image(
    source: Picture,
    name: str | None = None,
    *,
    target: int | None = None,
    allowed: Allowed = USUAL,
) -> Image.Image:
    """Return the picture upright, in RGB, transparent parts over white, with no notes (EXIF).

    Of an animation it is the first frame that shows something, of a TIFF the first page that is no
    thumbnail; a PIL image is taken as it stands. An array is (H, W), or (H, W, channels) with
    1 (grey), 2 (grey, alpha), 3 or 4 channels: of 8 or 16 bits, or of floats between 0 and 1.

    Where only a picture `target` pixels high and wide is wanted, a JPEG and a JPEG 2000 are decoded
    at a half, a quarter or an eighth of their size, whichever still has `target` pixels on its
    shorter side; others are made smaller only where the whole would take too much memory. `source`
    is left as it is.

    Raises ImageError, under `name` where one is given, for anything that is no whole picture and
    for what takes more pixels, memory or time than is `allowed`: before it is decoded, or in time.
    """
    if isinstance(source, Image.Image):
        return _given(source, name or getattr(source, "filename", "") or "picture", allowed)
    if isinstance(source, np.ndarray):
        return from_array(source, name or "array")
    if isinstance(source, (bytes, bytearray, memoryview)):
        allowed = replace(allowed, held=len(source))
        with _opened(source, name or "picture", allowed) as image:
            return _decoded(image, target, allowed)
    if not isinstance(source, (str, os.PathLike)):
        kind = type(source).__name__
        raise ImageError(name or kind, "a picture is a path, bytes, a PIL image or an array")
    with _opened(os.fspath(source), name or os.fspath(source), allowed) as image:
        return _decoded(image, target, allowed)


def picture_size(
    source: str | os.PathLike[str] | bytes, allowed: Allowed = USUAL
) -> tuple[int, int]:
    """Width and height, upright and in pixels, of the picture in a file or in a file's bytes.

    It is not decoded. Raises ImageError where that is no picture's.
    """
    source = source if isinstance(source, bytes) else os.fspath(source)
    name = "picture" if isinstance(source, bytes) else source
    with _opened(source, name, allowed) as image:
        return upright_size(image)


@contextmanager
def _opened(
    source: str | bytes | bytearray | memoryview, name: str, allowed: Allowed
) -> Iterator[ImageFile.ImageFile]:
    """The picture, its header read, at the page that shows it. Whatever goes wrong with it, also
    later, is an ImageError."""
    try:
        with _file(source, name) as file:
            try:
                ends = allowed.truncated and file.read(2) == _JPEG_START
                metered = Metered(file, allowed, _JPEG_END if ends else b"")
                with opened(cast("IO[bytes]", metered), allowed) as image:
                    if isinstance(image, TiffImageFile):
                        tiff.turn_to_the_photo(image)
                    yield image
            except TooMuch as error:
                raise ImageError(name, str(error)) from None
            except Exception as error:  # a damaged file can trip a decoder in any way
                raise ImageError(name, what_it_is(file, error)) from None
    except (OSError, ValueError) as error:
        raise ImageError(name, unreadable(str(source), error)) from None


def _file(source: str | bytes | bytearray | memoryview, name: str) -> IO[bytes]:
    if not isinstance(source, str):
        return io.BytesIO(source)
    if not stat.S_ISREG(os.stat(source).st_mode):
        folder = os.path.isdir(source)
        raise ImageError(name, "is a folder; name a picture" if folder else "is no file")
    return open(source, "rb")


def _decoded(image: ImageFile.ImageFile, target: int | None, allowed: Allowed) -> Image.Image:
    """Raises TooMuch, and whatever damaged data trips."""
    whole = image.size
    if target is not None:
        _draft(image, target, allowed)
    _check(image, whole, allowed)
    animated = may_move(image)
    plain = image.mode == "RGB" and not image.has_transparency_data and is_srgb(image)
    shared = plain and not animated
    _factor(image, target, allowed, copies=1 - shared)
    _mend(image)
    feed_slowly(image)
    image.load()
    lies = orientation(image)
    factor = _factor(image, target, allowed, copies=2 - shared - (lies == 1))
    if shared and factor == 1:
        picture = image._new(image.im)  # the same pixels, which nobody else has
    elif animated and allowed.has_bytes(_FRAME * image.width * image.height):
        picture = first_that_shows(image, partial(rgb, factor=factor), allowed.seconds / 4)
    else:
        picture = rgb(image, factor)
    return _without_notes(turned(picture, lies))


def _given(image: Image.Image, name: str, allowed: Allowed) -> Image.Image:
    """A PIL image: one that is not decoded yet is measured first, any is left as it is."""
    try:
        allowed.check_pixels(*image.size)
        if isinstance(image, ImageFile.ImageFile) and image._im is None:
            _check(image, image.size, allowed)
            _mend(image)
        image.load()
        return _without_notes(turned(rgb(image), orientation(image)))
    except TooMuch as error:
        raise ImageError(name, str(error)) from None
    except Exception as error:  # damaged data can trip a decoder in any way
        raise ImageError(name, damaged(error)) from None


def _draft(image: ImageFile.ImageFile, target: int, allowed: Allowed) -> None:
    """Have no more decoded than is needed: of an HEIC that is too large, the thumbnail in it."""
    too_large = image.format == "HEIF" and not allowed.has_bytes(decoding_bytes(image, image.size))
    if isinstance(image, JpegImageFile) or too_large:
        image.draft(None, (target, target))
    elif isinstance(image, Jpeg2KImageFile):
        jpeg2000.draft(image, target)


def _check(image: ImageFile.ImageFile, whole: tuple[int, int], allowed: Allowed) -> None:
    allowed.check_pixels(*image.size)
    allowed.check_bytes(decoding_bytes(image, whole))
    allowed.check_seconds(decoding_seconds(image))


def _mend(image: ImageFile.ImageFile) -> None:
    """Where Pillow would misread a picture not yet decoded, or be slow, have it read right."""
    if isinstance(image, TiffImageFile) and image.tile:
        tiff.mend(image)
    elif isinstance(image, PngImageFile) and image.tile:
        png.mend(image)
    elif isinstance(image, PpmImageFile) and image.tile[0].codec_name == pnm.SLOW:
        pnm.decode(image)


def _factor(image: Image.Image, target: int | None, allowed: Allowed, copies: int) -> int:
    """How many times smaller the result has to be for the memory, with so many copies beside the
    picture. Raises TooMuch where it cannot be, or may not, for want of a `target`."""

    def needed(factor: int) -> float:
        results = 4 * copies / factor**2
        return image.width * image.height * (stored(image) + results) + converting_bytes(image)

    smaller = 1 if target is None else max(1, min(image.size) // target)
    factor = 1 if allowed.has_bytes(needed(1)) else smaller
    allowed.check_bytes(needed(factor))
    return factor


def _without_notes(picture: Image.Image) -> Image.Image:
    picture.info = {}  # else who reads the notes of what is upright would turn it again
    return picture
