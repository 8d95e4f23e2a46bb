"""Pictures that show nothing: dots that keep a distance, and rules."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

_DOT = 2  # pixels
_RULE, _STRETCH = 16, 20  # pixels; times as long as thick


def is_blank(picture: Path) -> bool:
    """Whether the picture is at most two pixels wide or high, or long and thin like a rule."""
    if not picture.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(picture) as opened:
                thin, long = sorted(opened.size)
    except Exception:  # whatever Pillow says of a file that it cannot read: it is told later
        return False
    return thin <= _DOT or (thin <= _RULE and long >= _STRETCH * thin)
