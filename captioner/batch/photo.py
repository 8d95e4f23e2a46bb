"""One photo on its way through a batch, and the row it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from captioner.caption import Caption

NO_PICTURES = "no pictures"
"""How the reason begins where an input stands for no photo at all: an empty folder, say."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture's name in the rows, and how to get at it: a file's path, its bytes, or a call.

    `facts` are the fields that are known without a caption: size, bytes, sha256, model.
    """

    path: str
    content: str | bytes | Callable[[], bytes]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Result:
    """One photo's row: its caption, or why there is none. Exactly one of the two is there."""

    path: str
    caption: Caption | None = None
    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    picture: str | bytes = field(default=b"", repr=False)
