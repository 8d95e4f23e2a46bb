"""The fields of a row, and how each is written where a cell holds text alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from captioner.caption import Caption
from captioner.datasets.photos.photo import Photo
from captioner.errors import ImageError, kept
from captioner.images import USUAL, Allowed, picture_size

OF_CAPTIONS: Mapping[str, Callable[[Caption], Any]] = {
    "caption": lambda caption: caption.text,
    "score": lambda caption: caption.score,
    "confidence": lambda caption: caption.confidence,
    "words": lambda caption: list(caption.words),
    "alternatives": lambda caption: [_sentence(other) for other in caption.alternatives] or None,
}
OF_FILES = ("size", "bytes", "sha256")
FIELDS = ("path", *OF_CAPTIONS, *OF_FILES, "model", "error")
"""What a row may hold: size in pixels (width, height), bytes and sha256 of the file, the model."""


def cell(value: Any) -> str:
    """A field as plain text: words with spaces, a size as 640x480, alternatives as JSON."""
    if value is None:
        return ""
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and "caption" in value[0]:
            return json.dumps([other["caption"] for other in value], ensure_ascii=False)
        return ("x" if value and isinstance(value[0], int) else " ").join(map(str, value))
    return str(value)


def with_facts(photo: Photo, wanted: Collection[str], allowed: Allowed = USUAL) -> Photo:
    """The photo, fetched if it is not at hand, with those facts about its file."""
    try:
        content = photo.read()
    except ImageError as error:
        return replace(photo, content=kept(error))
    if isinstance(content, str) and not os.path.isfile(content):
        return photo  # the captioner says what it is; a pipe would keep us waiting here
    facts = dict(photo.facts)
    try:
        if "bytes" in wanted:
            facts["bytes"] = (
                len(content) if isinstance(content, bytes) else os.path.getsize(content)
            )
        if "sha256" in wanted:
            facts["sha256"] = sha256(content)
        if "size" in wanted:
            facts["size"] = list(picture_size(content, allowed))
    except (OSError, ValueError, ImageError):
        pass  # the captioner will meet the same trouble, and say so
    return replace(photo, content=content, facts=facts)


def sha256(content: str | bytes) -> str:
    """That of the file at that path, or of those bytes."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with open(content, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _sentence(caption: Caption) -> dict[str, Any]:
    return {"caption": caption.text, "score": caption.score, "words": list(caption.words)}
