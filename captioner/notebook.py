"""A caption as HTML, for notebooks."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from captioner.confidence import in_words
from captioner.errors import ImageError
from captioner.images import open_image
from captioner.overlay import overlay

if TYPE_CHECKING:
    from captioner.caption import Caption

PHOTO, MAP = 360, 150  # longest sides, pixels


def as_html(caption: Caption) -> str:
    """The photo, the sentence, and for each word its map and its probability.

    Without the photo, or where it cannot be read any more, the maps lie on grey.
    """
    photo = _photo(caption)
    picture = _picture(photo, PHOTO, caption.text) if photo else ""
    sure = ""
    if caption.confidence is not None:
        sure = f" · {in_words(caption.confidence)} ({caption.confidence:.0%})"
    head = f"<p><b>{escape(caption.text)}</b> <small>score {caption.score:.2f}{sure}</small></p>"
    return (
        f"<div>{picture}{head}<div style='display:flex;flex-wrap:wrap'>{_words(caption, photo)}"
        "</div></div>"
    )


def _words(caption: Caption, photo: Image.Image | None) -> str:
    ground = photo or Image.new("RGB", (MAP, MAP), "grey")
    ground = ground.copy()
    ground.thumbnail((MAP, MAP))
    cells = []
    for word, probability, attention in zip(
        caption.words, caption.probabilities, caption.attention, strict=True
    ):
        map_ = overlay(ground, attention) if attention.size else None
        picture = _picture(map_, MAP, f"where it looked for {word}") if map_ else ""
        said = f"{escape(word)} <small>{probability:.0%}</small>"
        cells.append(
            f"<figure style='margin:4px'>{picture}<figcaption>{said}</figcaption></figure>"
        )
    return "".join(cells)


def _photo(caption: Caption) -> Image.Image | None:
    if caption.photo is None:
        return None
    try:
        return open_image(caption.photo, target=PHOTO)
    except ImageError:
        return None


def _picture(photo: Image.Image, side: int, text: str) -> str:
    small = photo.copy()
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="{escape(text)}" src="data:image/jpeg;base64,{data}">'
