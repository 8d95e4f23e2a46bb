"""What a visitor takes home of one photo: a page of its own, an animation, a sheet of panels."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from captioner.caption import Caption
from captioner.errors import CaptionerError
from captioner.overlay import frames, panels
from captioner.page.answers import LARGE, open_upload
from captioner.page.frontend import standalone
from captioner.page.saving import File
from captioner.page.uploads import Upload

Word = Annotated[str, Field(max_length=60)]  # a sheet is as wide as its longest
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Row = Annotated[list[Share], Field(min_length=1, max_length=64)]
Map = Annotated[list[Row], Field(min_length=1, max_length=64)]

_MILLISECONDS, _A_LETTER, _PAUSE = 280, 45, 1200  # a word is shown so long, and longer a letter


class SaveRequest(BaseModel):
    """The page's request: the server keeps no caption for it."""

    model_config = ConfigDict(extra="forbid")
    kind: str
    caption: str = Field(max_length=1000)
    words: list[Word] = Field(min_length=1, max_length=60)
    attention: list[Map] = Field(min_length=1, max_length=60)
    strength: Share


def save_photo(upload: Upload | None, request: dict[str, Any]) -> File:
    """A file to save. Raises CaptionerError for a bad request."""
    try:
        wanted = SaveRequest.model_validate(request)
        ending, kind, write = _WRITERS[wanted.kind]
        attention = np.array(wanted.attention, dtype=np.float32)  # all of one shape
    except (ValidationError, KeyError, ValueError) as error:
        raise CaptionerError("This picture cannot be saved: reload the page.") from error
    if len(attention) != len(wanted.words):
        raise CaptionerError("This picture cannot be saved: its attention has a wrong shape.")
    photo = open_upload(upload, LARGE)
    words = tuple(wanted.words)
    caption = Caption(wanted.caption, words, 0.0, 0.0, (0.0,) * len(words), attention)
    stem = PurePath(upload.name).stem if upload else "photo"
    return File(f"{stem}{ending}", kind, write(photo, caption, wanted.strength))


def _panels(photo: Image.Image, caption: Caption, strength: float) -> bytes:
    file = io.BytesIO()
    panels(photo, caption, strength).save(file, "PNG")
    return file.getvalue()


def _webp(photo: Image.Image, caption: Caption, strength: float) -> bytes:
    return _animation(frames(photo, caption, strength), caption, "WEBP", quality=80, method=2)


def _gif(photo: Image.Image, caption: Caption, strength: float) -> bytes:
    few = (frame.quantize(256) for frame in frames(photo, caption, strength))
    return _animation(few, caption, "GIF", optimize=False)


def _animation(pictures: Iterator[Image.Image], caption: Caption, kind: str, **how: Any) -> bytes:
    """At reading speed; the whole sentence is shown before it starts again."""
    first, *rest = pictures
    shown = [_PAUSE, *(_MILLISECONDS + _A_LETTER * len(word) for word in caption.words)]
    file = io.BytesIO()
    first.save(file, kind, save_all=True, append_images=rest, duration=shown, loop=0, **how)
    return file.getvalue()


def _page(photo: Image.Image, caption: Caption, strength: float) -> bytes:
    return standalone(photo, caption, strength).encode()


_WRITERS: dict[str, tuple[str, str, Callable[[Image.Image, Caption, float], bytes]]] = {
    "html": (".html", "text/html", _page),
    "gif": (".gif", "image/gif", _gif),
    "webp": (".webp", "image/webp", _webp),
    "panels": (".attention.png", "image/png", _panels),
}
