"""One photo, wherever it lies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from captioner.errors import ImageError

NO_PICTURES = "no pictures"
"""How the reason begins where an input stands for no photo at all: an empty folder, say."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture's name in the rows, and how to get at it: a file's path, its bytes, or a call that
    may raise ImageError; such an error where it is known already that there is no getting at it.

    `facts` are the fields that are known without a caption: size, bytes, sha256, model. `kept` are
    cells of the row that the photo has in a table.
    """

    path: str
    content: str | bytes | Callable[[], bytes] | ImageError
    facts: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> str | bytes:
        """The file's path, or its bytes. Raises ImageError."""
        content = self.content() if callable(self.content) else self.content
        if isinstance(content, ImageError):
            raise content
        return content
