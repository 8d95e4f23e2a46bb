"""A place in a document where a picture's alternative text is missing, and how to fill it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_SPECIAL = re.compile(r"([\\`*_\[\]<>&|!~^$])")

Kind = Literal["html", "markdown", "shortcode", "wiki"]


@dataclass(frozen=True)
class Gap:
    """An image without alternative text.

    `source` is what the document calls the picture, "" where it names none; `line` counts from 1.
    The text goes in at `place`, an offset in the document's characters; None: it cannot be put in,
    and `problem` may say why. `blank`: by its attributes a dot or a rule, which needs no words.
    """

    source: str
    line: int
    place: int | None
    kind: Kind
    problem: str = ""
    blank: bool = False

    @property
    def says_decorative(self) -> bool:
        """Whether leaving it as it is says "decorative", as `![](dot.gif)` does."""
        return self.kind in ("markdown", "wiki")

    def filling(self, text: str) -> str:
        """What to put in at `place` for this text."""
        words = " ".join(text.split())
        if self.kind == "markdown":
            return _SPECIAL.sub(r"\\\1", words)
        if self.kind == "wiki":
            return "|" + " ".join(re.sub(r"[][|#^\\]", " ", words).split())
        if self.kind == "shortcode":
            return ' alt="{}"'.format(re.sub(r'(["\\])', r"\\\1", words))
        quoted = html.escape(words)
        return f' alt="{quoted.encode("ascii", "xmlcharrefreplace").decode()}"'


def filled(document: str, texts: Mapping[Gap, str]) -> str:
    """The document with those texts put in, and not another character changed."""
    pieces, end = [], 0
    placed = [
        (gap.place, gap.filling(text)) for gap, text in texts.items() if gap.place is not None
    ]
    for place, filling in sorted(placed):
        pieces += [document[end:place], filling]
        end = place
    return "".join([*pieces, document[end:]])
