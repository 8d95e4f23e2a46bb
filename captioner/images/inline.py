"""Pictures for pages: as JPEG, and inside an address, where no file may lie beside the page."""

from __future__ import annotations

import base64
import io

from PIL import Image


def as_jpeg(photo: Image.Image, side: int, quality: int = 80) -> bytes:
    """The photo, at most `side` pixels long, as a JPEG."""
    small = photo.copy()
    small.thumbnail((side, side), reducing_gap=2)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality)
    return file.getvalue()


def data_url(photo: Image.Image, side: int, quality: int = 80) -> str:
    """The same inside an address."""
    return "data:image/jpeg;base64," + base64.b64encode(as_jpeg(photo, side, quality)).decode()
