"""PNM whose white is neither 255 nor 65,535: Pillow decodes them sample by sample, in Python."""

from __future__ import annotations

import numpy as np
from PIL import Image
from PIL.PpmImagePlugin import PpmImageFile

SLOW = "ppm"  # Pillow's name for that decoder
_ROWS = 1_000_000  # samples that are converted at a time


def decode(image: PpmImageFile) -> None:
    """Decode it to 8 bits a channel, as `load` would. Raises ValueError where it is cut off."""
    (tile,) = image.tile
    assert isinstance(tile.args, tuple) and image.fp is not None
    white = int(tile.args[-1])
    number = np.dtype("u1" if white < 256 else ">u2")
    mode = "RGB" if image.mode == "RGB" else "L"
    samples = image.width * len(mode)
    rows = max(1, _ROWS // samples)
    picture = Image.new(mode, image.size)
    image.fp.seek(tile.offset)
    for top in range(0, image.height, rows):
        shape = (min(rows, image.height - top), image.width, len(mode))
        data = image.fp.read(int(np.prod(shape)) * number.itemsize)
        values = np.frombuffer(data, number).reshape(shape).astype(np.float32)
        band = (values * np.float32(255 / white)).round().clip(0, 255).astype(np.uint8)
        picture.paste(Image.fromarray(band if mode == "RGB" else band[..., 0]), (0, top))
    image.im, image._mode, image.tile = picture.im, mode, []
