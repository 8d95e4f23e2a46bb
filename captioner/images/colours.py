"""Colours of every kind, as RGB of 8 bits a channel with transparent parts over white."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import BITSPERSAMPLE, SAMPLEFORMAT, TiffImageFile

from captioner.errors import ImageError
from captioner.images import tiff

_SLACK = 1e-3  # by which resampling may overshoot


def rgb(image: Image.Image) -> Image.Image:
    """A new picture in RGB, of one that is decoded; `image` stays as it is."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.mode == "CMYK":
        return _printed(image)
    if image.mode == "La":
        image = image.convert("LA")
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _printed(image: Image.Image) -> Image.Image:
    """What inks show: by the colour profile that says what they are, if there is one."""
    with suppress(ImageCms.PyCMSError, OSError):  # a damaged profile, or one of other colours
        inks = ImageCms.ImageCmsProfile(io.BytesIO(image.info.get("icc_profile", b"")))
        screen = ImageCms.createProfile("sRGB")
        seen = ImageCms.profileToProfile(image, inks, screen, outputMode="RGB")
        assert seen is not None
        return seen
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Bring grey of 16 or 32 bits or of floats to 8 bits; PIL itself would clip it.

    Only the 16 bits say what white is. Elsewhere it is the smallest usual scale that holds all.
    """
    values = np.asarray(image)
    if isinstance(image, TiffImageFile) and _is_unsigned(image):
        values = values.view(np.uint32)
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0)
    scales = {"I": (255, 65_535), "F": (1, 255, 65_535)}.get(image.mode, (65_535,))
    highest = values.max()
    white = next((scale for scale in scales if highest <= scale * (1 + _SLACK)), highest)
    small = (values.clip(0, white) / white * 255).round().astype(np.uint8)
    negative = isinstance(image, TiffImageFile) and tiff.is_negative(image)
    grey = Image.fromarray(255 - small if negative else small)
    if "transparency" in image.info:
        grey.info["transparency"] = round(image.info["transparency"] / white * 255)
    return grey


def _is_unsigned(image: TiffImageFile) -> bool:
    """Whether numbers of 32 bits that Pillow holds as signed are none."""
    tags = image.tag_v2
    return tags.get(BITSPERSAMPLE) == (32,) and tags.get(SAMPLEFORMAT, (1,)) == (1,)


def from_array(array: npt.NDArray[Any], name: str) -> Image.Image:
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
