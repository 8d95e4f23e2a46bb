"""A picture inside an address, for pages that need no file beside them."""

from __future__ import annotations

import base64
import io

from PIL import Image


def data_url(image: Image.Image, side: int) -> str:
    """The picture, at most `side` pixels long, as a JPEG."""
    small = image.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
