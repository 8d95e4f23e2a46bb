"""A place in a document where a picture's alternative text is missing, and how to fill it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

_SPECIAL = re.compile(r"([\\`*_\[\]<>&|!~^$])")


@dataclass(frozen=True)
class Gap:
    """An image without alternative text.

    `source` is what the document calls the picture, "" where it names none; `line` counts from 1.
    The text goes in at `place`, an offset in the document's characters; None: it cannot be put in.
    """

    source: str
    line: int
    place: int | None
    kind: Literal["html", "markdown"]

    def filling(self, text: str) -> str:
        """What to put in at `place` for this text."""
        if self.kind == "markdown":
            return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
        quoted = html.escape(" ".join(text.split()))
        return f' alt="{quoted.encode("ascii", "xmlcharrefreplace").decode()}"'


def filled(document: str, texts: Mapping[Gap, str]) -> str:
    """The document with those texts put in, and not another character changed."""
    pieces, end = [], 0
    for gap in sorted(_placed(texts), key=lambda gap: gap.place or 0):
        pieces += [document[end : gap.place], gap.filling(texts[gap])]
        end = gap.place or 0
    return "".join([*pieces, document[end:]])


def _placed(gaps: Iterable[Gap]) -> list[Gap]:
    return [gap for gap in gaps if gap.place is not None]
