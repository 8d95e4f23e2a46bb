"""What a visitor takes home from one photo: the sheet of panels, the walk as a short animation."""

from __future__ import annotations

import base64
import io
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from captioner.caption import Caption
from captioner.errors import CaptionerError
from captioner.images import open_image
from captioner.overlay import frames, panels

Word = Annotated[str, Field(max_length=60)]  # a sheet is as wide as its longest

_MILLISECONDS, _A_LETTER = 280, 45  # a word is shown so long, and so much longer a letter


class Keepsake(BaseModel):
    """The page's request: everything needed is in it, so the server keeps no photo for it."""

    model_config = ConfigDict(extra="forbid")
    kind: str = Field(pattern="^(panels|walk)$")
    photo: str = Field(max_length=8 * 2**20)  # a data: address
    caption: str = Field(max_length=1000)
    words: list[Word] = Field(min_length=1, max_length=60)
    attention: list[list[list[float]]] = Field(max_length=60)
    strength: float = Field(ge=0, le=1)


def save_keepsake(request: dict[str, Any]) -> dict[str, str]:
    """A picture to save: {"name", "type", "base64"}. Raises CaptionerError for a bad request."""
    try:
        wanted = Keepsake.model_validate(request)
        attention = np.array(wanted.attention, dtype=np.float32)
        photo = open_image(base64.b64decode(wanted.photo.partition(",")[2]), "photo")
    except (ValidationError, ValueError) as error:
        raise CaptionerError("This picture cannot be saved: reload the page.") from error
    if attention.ndim != 3 or len(attention) != len(wanted.words) or max(attention.shape) > 64:
        raise CaptionerError("This picture cannot be saved: its attention has a wrong shape.")
    words = tuple(wanted.words)
    caption = Caption(wanted.caption, words, 0.0, 0.0, (0.0,) * len(words), attention)
    name, kind, content = _WRITERS[wanted.kind](photo, caption, wanted.strength)
    return {"name": name, "type": kind, "base64": base64.b64encode(content).decode()}


def _panels(photo: Image.Image, caption: Caption, strength: float) -> tuple[str, str, bytes]:
    file = io.BytesIO()
    panels(photo, caption, strength).save(file, "PNG")
    return "attention.png", "image/png", file.getvalue()


def _walk(photo: Image.Image, caption: Caption, strength: float) -> tuple[str, str, bytes]:
    """An animated WebP at reading speed; the whole sentence is shown before it starts again."""
    first, *rest = frames(photo, caption, strength)
    shown = [_MILLISECONDS + _A_LETTER * len(word) for word in caption.words]
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=rest,
        duration=[1200, *shown],
        loop=0,
        quality=80,
        method=2,
    )
    return "walk.webp", "image/webp", file.getvalue()


_WRITERS = {"panels": _panels, "walk": _walk}
