"""Small good pictures of every kind, and copies of them with mutations, each told by its number."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from PIL import Image, features

from tests.images.made import cmyk_profile, tiff

_SIDES = (0, 1, 2, 255, 256, 9_459, 16_383, 32_768, 65_535, 2**24, 2**31 - 1, 2**32 - 1)


def mutated(number: int) -> bytes:
    """A copy of one of the samples with up to eight mutations: the same for the same number."""
    dice = random.Random(number)
    data = bytearray(dice.choice(samples()))
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        _mutate(data, dice)
    return bytes(data)


def _mutate(data: bytearray, dice: random.Random) -> None:
    place = (
        dice.randrange(len(data)) if dice.random() < 0.5 else dice.randrange(min(200, len(data)))
    )
    kind = dice.randrange(7)
    if kind == 0:
        data[place] ^= 1 << dice.randrange(8)
    elif kind == 1:
        data[place] = dice.randrange(256)
    elif kind == 2:  # a number that is too large, or none
        form = dice.choice("<>") + dice.choice("HI")
        value = struct.pack(form, dice.choice(_SIDES) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF))
        data[place : place + len(value)] = value
    elif kind == 3:
        del data[place : place + dice.randrange(1, 64)]
    elif kind == 4:
        data[place:place] = dice.randbytes(dice.randrange(1, 64))
    elif kind == 5:  # a part again, elsewhere or many times
        part = data[place : place + dice.randrange(1, 512)]
        there = dice.randrange(len(data))
        data[there:there] = part * dice.choice((1, 1, 2, 50))
    else:
        del data[max(16, place) :]
    if not data:
        data.append(0)


@cache
def samples() -> tuple[bytes, ...]:
    """Pictures of 40 times 24 pixels."""
    return tuple(_samples())


def _samples() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 40, 4), dtype=np.uint8)
    pixels[:, :20] //= 4
    picture = Image.fromarray(pixels)
    rgb, exif = picture.convert("RGB"), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a note"
    several = {"save_all": True, "append_images": [rgb.transpose(Image.Transpose.ROTATE_180), rgb]}

    def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
        file = io.BytesIO()
        others = [other.copy() for other in options.pop("append_images", [])]
        more = {"append_images": others} if others else {}
        image.copy().save(file, kind, **options, **more)  # saving leaves marks on a picture
        return file.getvalue()

    yield saved(rgb, "JPEG", exif=exif)
    yield saved(rgb, "JPEG", progressive=True, subsampling=0)
    yield saved(rgb.convert("CMYK"), "JPEG", icc_profile=cmyk_profile(False))
    yield saved(rgb.convert("L"), "JPEG", restart_marker_blocks=2)
    yield saved(rgb, "MPO", **several)
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16"):
        grey = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
        yield saved(grey if mode == "I;16" else picture.convert(mode), "PNG", exif=exif)
    yield saved(rgb, "PNG", **several)
    yield saved(rgb, "GIF", **several)
    yield saved(Image.new("P", (40, 24)), "GIF", **several)
    for options in ({"lossless": True}, {"quality": 60}, {"quality": 60, "exif": exif}, several):
        yield saved(picture, "WEBP", **options)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield saved(picture.convert(mode), "BMP")
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield saved(rgb, "TIFF", compression=compression, exif=exif)
    yield saved(picture.convert("1"), "TIFF", compression="group4")
    yield saved(picture.convert("F"), "TIFF", compression="tiff_lzw")
    yield saved(rgb, "TIFF", **several)
    yield tiff(pixels[..., :3].astype(np.uint16) * 257, 2, planar=2, order=">")
    yield tiff(pixels[..., :3], 6, more={530: (1, 1)})
    for mode in ("1", "L", "RGB"):
        yield saved(picture.convert(mode), "PPM")
    yield b"P3 2 2 99\n" + b"7 " * 12
    yield b"P6 3 2 300\n" + bytes(36)
    for options in ({}, {"irreversible": True}, {"no_jp2": True, "tile_size": (16, 16)}):
        yield saved(rgb, "JPEG2000", **options)
    if features.check("avif"):
        yield saved(picture, "AVIF", exif=exif)
        yield saved(rgb, "AVIF", **several)
    yield from _of_plugins(picture, saved)


def _of_plugins(picture: Image.Image, saved: Any) -> Iterator[bytes]:
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
        yield saved(picture, "HEIF")
        yield saved(picture.convert("L"), "HEIF")
    except ImportError:
        pass
    try:
        import pillow_jxl  # noqa: F401

        yield saved(picture, "JXL", lossless=True, effort=1)
        yield saved(picture.convert("RGB"), "JXL", use_container=True, effort=1)
    except ImportError:
        pass
