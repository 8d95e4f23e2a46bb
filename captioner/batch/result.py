"""What became of one photo of a batch: the row it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from captioner.caption import Caption


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """One photo's row: its caption, or why there is none. Exactly one of the two is there.

    `unsure`: there was one, but the model was not sure enough of it.
    """

    path: str
    caption: Caption | None = None
    error: str = ""
    unsure: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)
    picture: str | bytes = field(default=b"", repr=False)
