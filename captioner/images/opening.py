"""A file, bytes, a PIL image or an array in; the picture upright, in RGB, out."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Callable
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from captioner.errors import ImageError
from captioner.images import png, tiff
from captioner.images.colours import from_array, rgb
from captioner.images.frames import first_that_shows
from captioner.images.reasons import damaged, unreadable, what_it_is
from captioner.images.upright import orientation, turned, upright_size

Picture: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]"

MAX_PIXELS = 89_478_485
"""The largest picture that is decoded: a quarter of a gigabyte in RGB, PIL's own limit."""

IMAGE_SUFFIXES = frozenset(
    ".avif .bmp .gif .heic .heif .j2k .jfif .jp2 .jpe .jpeg .jpg"  # noqa: SIM905
    " .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split()
)
"""What a folder is searched for: lower case, with the dot. HEIC is among them so that such a photo
is reported rather than passed over."""

# Left out: formats that call another program (EPS), hide a second picture of another size (ICO),
# or have no signature by which to know them (TGA).
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")

_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_TOO_LARGE = f"has more than the {MAX_PIXELS:,} pixels allowed; make it smaller"
_MISREAD = "is a TIFF of a kind that would be misread; save it as PNG"

# PIL's warnings are about pictures that are refused or read all the same; printed, they would
# stand among the captions.
warnings.filterwarnings("ignore", module=r"PIL\.")


def open_image(
    source: Picture, name: str | None = None, *, target: int | None = None
) -> Image.Image:
    """Return the picture upright, in RGB, transparent parts over white, with no notes (EXIF).

    Of an animation it is the first frame that shows something, of a TIFF the first page that is no
    thumbnail; a PIL image is taken as it stands. An array is (H, W), or (H, W, channels) with
    1 (grey), 2 (grey, alpha), 3 or 4 channels: of 8 or 16 bits, or of floats between 0 and 1.

    Where only a picture `target` pixels high and wide is wanted, a JPEG is decoded at a half, a
    quarter or an eighth of its size, whichever still has `target` pixels on its shorter side;
    other pictures are not scaled. `source` is left as it is.

    Raises ImageError, under `name` where one is given, for anything that is no whole picture and
    for more than MAX_PIXELS pixels, these before anything is decoded.
    """
    if isinstance(source, Image.Image):
        return _decode(source, name or getattr(source, "filename", "") or "picture")
    if isinstance(source, np.ndarray):
        return from_array(source, name or "array")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read(io.BytesIO(source), name or "picture", target)
    if not isinstance(source, (str, os.PathLike)):
        kind = type(source).__name__
        raise ImageError(name or kind, "a picture is a path, bytes, a PIL image or an array")
    path = os.fspath(source)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            folder = os.path.isdir(path)
            raise ImageError(
                name or path, "is a folder; name a picture" if folder else "is no file"
            )
        with open(path, "rb") as file:
            return _read(file, name or path, target)
    except (OSError, ValueError) as error:
        raise ImageError(name or path, unreadable(path, error)) from None


def picture_size(source: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """Width and height, upright and in pixels, of the picture in a file or in a file's bytes.

    It is not decoded. Raises ImageError where that is no picture's.
    """
    name = "picture" if isinstance(source, bytes) else os.fspath(source)
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=_FORMATS) as image:
            if isinstance(image, TiffImageFile):
                tiff.turn_to_the_photo(image)
            return upright_size(image)
    except Exception:  # a damaged header can trip a decoder in any way
        raise ImageError(name, damaged("its size cannot be read")) from None


def _read(file: IO[bytes], name: str, target: int | None) -> Image.Image:
    try:
        image = Image.open(file, formats=_FORMATS)
        if isinstance(image, TiffImageFile):
            tiff.turn_to_the_photo(image)
    except _BOMB:
        raise ImageError(name, _TOO_LARGE) from None
    except Exception as error:  # a damaged header can trip a decoder in any way
        raise ImageError(name, what_it_is(file, error)) from None
    with image:
        return _decode(image, name, target, first_that_shows)


def _decode(
    image: Image.Image,
    name: str,
    target: int | None = None,
    in_colour: Callable[[Image.Image], Image.Image] = rgb,
) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(name, _TOO_LARGE)
    try:
        if target is not None:
            image.draft(None, (target, target))
        _mend(image)
        image.load()
        picture = turned(in_colour(image), orientation(image))
    except _BOMB:
        raise ImageError(name, _TOO_LARGE) from None
    except tiff.UnreadableTiff:
        raise ImageError(name, _MISREAD) from None
    except Exception as error:  # damaged data can trip a decoder in any way
        raise ImageError(name, damaged(error)) from None
    picture.info = {}  # else who reads the notes of what is upright would turn it again
    return picture


def _mend(image: Image.Image) -> None:
    """Where Pillow would misread a picture that it has not decoded yet, have it read right."""
    if isinstance(image, TiffImageFile) and image.tile:
        tiff.mend(image)
    if isinstance(image, PngImageFile) and image.tile:
        png.mend(image)
