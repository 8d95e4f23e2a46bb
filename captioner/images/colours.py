"""Colours of every kind, as RGB of 8 bits a channel with transparent parts over white."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import BITSPERSAMPLE, SAMPLEFORMAT, TiffImageFile

from captioner.errors import ImageError
from captioner.images import tiff

_UNSEEN = 8  # levels, of 255, by which a profile's colours may be off and count as sRGB
_SLACK = 1e-3  # by which resampling may overshoot
_BAND = 1_000_000  # pixels that are converted at a time
_WORKING = 24  # bytes a pixel of a band

Convert = Callable[[Image.Image], Image.Image]


def rgb(image: Image.Image, factor: int = 1) -> Image.Image:
    """A new picture in RGB, of one that is decoded; `image` stays as it is.

    With a `factor` it is so many times smaller: each pixel the mean of a square. Large pictures
    are converted row by row, so that the memory is that of the result.
    """
    convert = _conversion(image)
    if factor == 1 and image.width * image.height <= _BAND:
        return convert(image)
    width, height = (-(-side // factor) for side in image.size)
    picture = Image.new("RGB", (width, height))
    for top, band in _bands(image, factor):
        part = convert(band)
        picture.paste(part if factor == 1 else part.reduce(factor), (0, top // factor))
    return picture


def converting_bytes(image: Image.Image) -> int:
    """The memory that converting takes besides the picture and the result."""
    return _WORKING * min(_BAND, image.width * image.height)


def _bands(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """The picture in bands of rows, each with its top; their heights are multiples of `factor`."""
    rows = max(1, _BAND // image.width // factor) * factor
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def is_srgb(image: Image.Image) -> bool:
    """Whether a picture's numbers are sRGB's, or near enough, or nothing tells."""
    return _to_srgb(image.info.get("icc_profile", b""), "RGB") is None


def _conversion(image: Image.Image) -> Convert:
    """What makes RGB of the picture, or of any part of it."""
    profile = image.info.get("icc_profile", b"")
    if image.mode.startswith("I") or image.mode == "F":
        return partial(_eight_bits, scale=_scale(image))
    if image.mode == "CMYK" and (seen := _to_srgb(profile, "CMYK")):
        return seen.apply
    if image.mode in ("RGBA", "LA") and _is_invisible(image):
        return lambda part: part.convert("RGB")
    return partial(_over_white, profile=profile)


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What shows the colours of a profile; None where they show as they are, sRGB or near enough,
    and where the profile is damaged or of other colours."""
    shown = "RGB" if mode == "CMYK" else mode
    try:
        colours = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        seen = ImageCms.buildTransform(colours, srgb, mode, shown)
    except (ImageCms.PyCMSError, OSError):
        return None
    if mode == "CMYK":
        return seen
    levels = np.array([0, 64, 128, 192, 255], np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    before = Image.fromarray(grid).convert(mode)
    off = np.abs(np.asarray(seen.apply(before), int) - np.asarray(before, int)).max()
    return seen if off > _UNSEEN else None


def _is_invisible(image: Image.Image) -> bool:
    """Whether all of a picture is transparent: whoever wrote it meant nothing by that."""
    if image.getpixel((0, 0))[-1]:  # type: ignore[index]
        return False
    return not any(band.getchannel("A").getextrema()[1] for _, band in _bands(image))


def _over_white(image: Image.Image, profile: bytes = b"") -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    picture = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if seen := _to_srgb(profile, picture.mode):
        picture = seen.apply(picture)
    if picture.mode == "RGB":
        return picture
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


class _Scale(NamedTuple):
    """What the numbers of a grey picture of more than 8 bits mean."""

    white: float
    negative: bool  # 0 is white
    unsigned: bool  # 32 bits that Pillow holds as signed


def _scale(image: Image.Image) -> _Scale:
    """Only the 16 bits say what white is. Elsewhere it is the smallest usual scale that holds all.

    PIL itself would clip all of them at 255.
    """
    negative = isinstance(image, TiffImageFile) and tiff.is_negative(image)
    if image.mode not in ("I", "F"):
        return _Scale(65_535, negative, False)
    unsigned = isinstance(image, TiffImageFile) and _bits(image) == (32, 1)
    highest = max(_numbers(band, unsigned).max() for _, band in _bands(image))
    usual: tuple[int, ...] = (1, 255, 65_535) if image.mode == "F" else (255, 65_535)
    if isinstance(image, TiffImageFile) and _bits(image) == (16, 2):
        usual = (255, 32_767)
    white = next((one for one in usual if highest <= one * (1 + _SLACK)), highest)
    return _Scale(float(white), negative, unsigned)


def _bits(image: TiffImageFile) -> tuple[int, int]:
    """How many bits a number has, and what they are: 1 without a sign, 2 with one, 3 a float."""
    tags = image.tag_v2
    return tags.get(BITSPERSAMPLE, (1,))[0], tags.get(SAMPLEFORMAT, (1,))[0]


def _numbers(image: Image.Image, unsigned: bool) -> npt.NDArray[Any]:
    """The numbers of the picture; those that are none, and the infinite, are 0."""
    values = np.asarray(image)
    if unsigned:
        return values.view(np.uint32)
    return np.nan_to_num(values, posinf=0.0, neginf=0.0) if values.dtype.kind == "f" else values


def _eight_bits(image: Image.Image, scale: _Scale) -> Image.Image:
    values = _numbers(image, scale.unsigned)
    share = values.clip(0, scale.white) * np.float32(255 / scale.white)
    small = share.round().astype(np.uint8)
    grey = Image.fromarray(255 - small if scale.negative else small)
    if "transparency" in image.info:
        grey.info["transparency"] = round(image.info["transparency"] / scale.white * 255)
    return _over_white(grey)


def from_array(array: npt.NDArray[Any], name: str) -> Image.Image:
    """The picture in RGB that an array (H, W) or (H, W, 1 to 4 channels) is.

    Raises ImageError, under `name`, for one that is none.
    """
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 2, 3, 4) or not array.size:
        raise ImageError(
            name, f"shape {array.shape} is no picture; it must be (H, W) or (H, W, 1 to 4 channels)"
        )
    if array.dtype.kind not in "buif":
        raise ImageError(name, f"numbers of type {array.dtype} are no picture; use uint8")
    small = array if array.dtype == np.uint8 else _scaled(array, name)
    return rgb(Image.fromarray(small[:, :, 0] if array.ndim == 3 and channels == 1 else small))


def _scaled(array: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    white = {"b": 1, "f": 1}.get(array.dtype.kind, 65_535 if array.dtype == np.uint16 else 255)
    values = array.astype(np.float64)
    if not (values.min() >= -_SLACK and values.max() <= white + _SLACK):  # also not a number
        raise ImageError(name, f"numbers of type {array.dtype} must lie between 0 and {white}")
    return (values.clip(0, white) / white * 255).round().astype(np.uint8)
