"""Of an animation, the first frame that shows something: many fade in from black or white."""

from __future__ import annotations

import time
from collections.abc import Callable

from PIL import Image

_KINDS = {"PNG", "WEBP", "AVIF"}
_SHOWS = 64  # levels of brightness, of 255, between the darkest and the lightest place
_FRAMES = 100  # that are looked at


def may_move(image: Image.Image) -> bool:
    """Whether the picture, not yet decoded, may have more frames than one; pages are none.

    Of a GIF that is only known once all of it was read.
    """
    return image.format == "GIF" or (
        image.format in _KINDS and bool(getattr(image, "is_animated", False))
    )


def first_that_shows(
    image: Image.Image, convert: Callable[[Image.Image], Image.Image], seconds: float
) -> Image.Image:
    """The first frame, converted to RGB, that is more than one flat colour, or the least flat.

    `image` is decoded. Others than the first frame are looked at for `seconds` of processor time.
    Raises what `convert` does for the first frame alone.
    """
    until = time.thread_time() + seconds
    best, size = convert(image), image.size
    most = _range(best)
    for place in range(1, _FRAMES):
        if most >= _SHOWS or time.thread_time() >= until:
            break
        try:
            image.seek(place)
            if image.size != size:  # a GIF may grow, and was not measured for that
                break
            frame = convert(image)
        except Exception:  # the last was before, or one that is damaged: those before it count
            break
        if (found := _range(frame)) > most:
            best, most = frame, found
    return best


def _range(picture: Image.Image) -> int:
    """Between the darkest and the lightest place."""
    darkest, lightest = picture.convert("L").getextrema()
    assert isinstance(darkest, int) and isinstance(lightest, int)
    return lightest - darkest
