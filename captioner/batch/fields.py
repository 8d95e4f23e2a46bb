"""The fields of a row, and how each is written where a cell holds text alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from captioner.batch.result import Result
from captioner.caption import Caption
from captioner.datasets.photos.photo import Photo
from captioner.errors import ImageError
from captioner.images import picture_size

OF_CAPTIONS: Mapping[str, Callable[[Caption], Any]] = {
    "caption": lambda caption: caption.text,
    "score": lambda caption: caption.score,
    "words": lambda caption: list(caption.words),
    "alternatives": lambda caption: [_sentence(other) for other in caption.alternatives] or None,
}
OF_FILES = ("size", "bytes", "sha256")
FIELDS = ("path", *OF_CAPTIONS, *OF_FILES, "model", "error")
"""What a row may hold: size in pixels (width, height), bytes and sha256 of the file, the model."""


def row(result: Result, fields: Collection[str]) -> dict[str, Any]:
    """Those of the fields that the photo has, in the order asked for; the path is always first."""
    known: dict[str, Any] = {"path": result.path, **result.facts}
    if result.caption is None:
        known["error"] = result.error
    else:
        known |= {name: get(result.caption) for name, get in OF_CAPTIONS.items()}
    return {name: known[name] for name in ordered(fields) if known.get(name) is not None}


def has_caption(values: Mapping[str, Any]) -> bool:
    """Whether a row, read again, is that of a photo with a caption, and not of one that failed."""
    return any(values.get(name) not in (None, "") for name in OF_CAPTIONS)


def ordered(fields: Collection[str]) -> list[str]:
    """The fields of a row: as asked for, the path first unless it was asked for elsewhere."""
    return [*fields] if "path" in fields else ["path", *fields]


def cell(value: Any) -> str:
    """A field as plain text: words with spaces, a size as 640x480, alternatives as JSON."""
    if value is None:
        return ""
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return json.dumps([other["caption"] for other in value], ensure_ascii=False)
        return ("x" if value and isinstance(value[0], int) else " ").join(map(str, value))
    return str(value)


def with_facts(photo: Photo, wanted: Collection[str]) -> Photo | ImageError:
    """The photo, fetched if it is not at hand, with those facts about its file."""
    try:
        content = photo.content() if callable(photo.content) else photo.content
    except ImageError as error:
        return error
    if isinstance(content, str) and not os.path.isfile(content):
        return photo  # the captioner says what it is; a pipe would keep us waiting here
    facts = dict(photo.facts)
    try:
        if "bytes" in wanted:
            facts["bytes"] = len(content) if isinstance(content, bytes) else _length(content)
        if "sha256" in wanted:
            facts["sha256"] = _sha256(content)
        if "size" in wanted:
            facts["size"] = list(picture_size(content))
    except (OSError, ValueError, ImageError):
        pass  # the captioner will meet the same trouble, and say so
    return Photo(photo.path, content, facts)


def model_id(path: Path) -> str:
    """A model's file name and the start of its file's SHA-256: the same for the same weights."""
    return f"{path.stem}@{_sha256(str(path))[:12]}"


def _length(path: str) -> int:
    return Path(path).stat().st_size


def _sha256(content: str | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    with open(content, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _sentence(caption: Caption) -> dict[str, Any]:
    return {"caption": caption.text, "score": caption.score, "words": list(caption.words)}
