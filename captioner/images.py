"""Opens whatever a person has as a picture; what comes out is upright, RGB and 8 bits a channel."""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from contextlib import suppress
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError, features

from captioner.errors import ImageError

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

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_TOO_LARGE = f"has more than the {MAX_PIXELS:,} pixels allowed; make it smaller"
_SLACK = 1e-3  # by which resampling may overshoot

_KNOWN = rb"\xff\xd8|\x89PNG|GIF8|RIFF....WEBP|BM|II\*|MM\0\*|P[1-7]\s|\0\0\0\x0cjP|....ftypav"
_SIGNATURES = (
    (rb"^....ftyp(hei|hev|mif1|msf1)", "is an HEIC photo, which cannot be read; save it as JPEG"),
    (rb"^....ftyp(?!avi[fs])", "is a film; save one picture of it as JPEG"),
    (rb"^%PDF", "is a PDF document; save its page as PNG"),
    (rb"^\s*<(svg|\?xml.*<svg)", "is an SVG drawing; save it as PNG"),
)

# PIL's warnings are about pictures that are refused or read all the same; printed, they would
# stand among the captions.
warnings.filterwarnings("ignore", module=r"PIL\.")


def open_image(
    source: Picture, name: str | None = None, *, target: int | None = None
) -> Image.Image:
    """Return the picture upright, in RGB, transparent parts over white, the first frame of many.

    An array is (H, W), or (H, W, channels) with 1 (grey), 2 (grey, alpha), 3 or 4 channels: of
    8 or 16 bits, or of floats between 0 and 1. Where only a picture `target` pixels high and wide
    is wanted, a JPEG is decoded at a half, a quarter or an eighth of its size, whichever still has
    `target` pixels on its shorter side; other pictures are not scaled. `source` is left as it is.

    Raises ImageError, under `name` where one is given, for anything that is no whole picture and
    for more than MAX_PIXELS pixels, these before anything is decoded.
    """
    if isinstance(source, Image.Image):
        return _decode(source, name or getattr(source, "filename", "") or "picture")
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "array")
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
        raise ImageError(name or path, _unreadable(path, error)) from None


def picture_size(source: str | os.PathLike[str] | bytes) -> tuple[int, int]:
    """Width and height of the picture in a file or in a file's bytes, upright, in pixels.

    Only the start of the file is read. Raises ImageError where that is no picture's.
    """
    name = "picture" if isinstance(source, bytes) else os.fspath(source)
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            return (height, width) if _orientation(image) > 4 else (width, height)
    except Exception:  # a damaged header can trip a decoder in any way
        raise ImageError(name, _damaged("its size cannot be read")) from None


def _unreadable(path: str, error: OSError | ValueError) -> str:
    if path.startswith(("http://", "https://")):
        return "is a web address; download the picture and name the file"
    if isinstance(error, FileNotFoundError):
        return "there is no such file; check the name"
    if isinstance(error, PermissionError):
        return "may not be read; check its permissions"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"


def _read(file: IO[bytes], name: str, target: int | None) -> Image.Image:
    try:
        image = Image.open(file, formats=_FORMATS)
    except _BOMB:
        raise ImageError(name, _TOO_LARGE) from None
    except Exception as error:  # a damaged header can trip a decoder in any way
        raise ImageError(name, _what_it_is(file, error)) from None
    with image:
        return _decode(image, name, target)


def _decode(image: Image.Image, name: str, target: int | None = None) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(name, _TOO_LARGE)
    try:
        if target is not None:
            image.draft(None, (target, target))
        image.load()
        picture = _rgb(image)
        turn = _UPRIGHT.get(_orientation(image))
        return picture if turn is None else picture.transpose(turn)
    except _BOMB:
        raise ImageError(name, _TOO_LARGE) from None
    except Exception as error:  # damaged data can trip a decoder in any way
        raise ImageError(name, _damaged(error)) from None


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # a photo whose notes are damaged is still a photo
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.mode == "La":
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring grey of 16 or 32 bits or of floats to 8 bits; PIL itself would clip it.

    Only the 16 bits say what white is. Elsewhere it is the smallest usual scale that holds all.
    """
    values = np.nan_to_num(np.asarray(image, np.float64), posinf=0.0)
    scales = {"I": (255, 65_535), "F": (1, 255, 65_535)}.get(image.mode, (65_535,))
    highest = values.max()
    white = next((scale for scale in scales if highest <= scale), highest)
    return Image.fromarray((values.clip(0, white) / white * 255).round().astype(np.uint8))


def _from_array(array: npt.NDArray[Any], name: str) -> Image.Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or not array.size:
        raise ImageError(
            name, f"shape {array.shape} is no picture; it must be (H, W) or (H, W, 1 to 4 channels)"
        )
    if array.dtype.kind not in "buif":
        raise ImageError(name, f"numbers of type {array.dtype} are no picture; use uint8")
    small = array if array.dtype == np.uint8 else _scaled(array, name)
    return _rgb(Image.fromarray(small[:, :, 0] if array.ndim == 3 and channels == 1 else small))


def _scaled(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    white = {"b": 1, "f": 1}.get(array.dtype.kind, 65_535 if array.dtype == np.uint16 else 255)
    values = array.astype(np.float64)
    if not (values.min() >= -_SLACK and values.max() <= white + _SLACK):  # also not a number
        raise ImageError(name, f"numbers of type {array.dtype} must lie between 0 and {white}")
    return (values.clip(0, white) / white * 255).round().astype(np.uint8)


def _damaged(cause: Exception | str) -> str:
    return f"is cut off or damaged ({cause or type(cause).__name__}); copy or download it again"


def _what_it_is(file: IO[bytes], error: Exception) -> str:
    """Say what a file is that PIL could not open, and what to do about it."""
    file.seek(0)
    start = file.read(4096)
    if not start:
        return "is empty (0 bytes); copy or download it again"
    for signature, reason in _SIGNATURES:
        if re.search(signature, start, re.DOTALL):
            return reason
    if start[4:11] == b"ftypavi" and not features.check("avif"):
        return "is an AVIF photo, which this Pillow was built without; save it as JPEG"
    if re.match(_KNOWN, start, re.DOTALL):
        return _damaged("incomplete" if isinstance(error, UnidentifiedImageError) else error)
    if not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", start):
        return "holds text, not a picture; download it again, or name another file"
    return "is not a kind of picture that can be read; save it as JPEG or PNG"
