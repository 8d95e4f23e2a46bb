"""What is known of a gap: its picture's file, or why there is none, and the text proposed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from captioner.alt.documents import Document, NoPicture
from captioner.alt.gaps import Gap

_DOT = 2  # pixels
_RULE, _STRETCH = 16, 20  # pixels; times as long as thick
FIELDS = ("file", "line", "picture", "text", "problem")


@dataclass(frozen=True)
class Finding:
    """A gap, its picture's file or the problem with it, and the text proposed; a blank picture
    needs no words."""

    document: Document
    gap: Gap
    picture: Path | None = None
    problem: str = ""
    blank: bool = False
    text: str = ""

    @property
    def filling(self) -> str | None:
        """What can be put in without asking anyone: a text, or "" for what needs none."""
        placed = self.gap.place is not None
        return self.text if placed and (self.blank or not self.problem) else None

    def cells(self) -> dict[str, str | int]:
        """What is printed of it, by FIELDS."""
        gap = self.gap
        values = (str(self.document.path), gap.line, gap.source, self.text, self.problem)
        return dict(zip(FIELDS, values, strict=True))


def findings(documents: Iterable[Document]) -> Iterator[Finding]:
    """The gaps of the documents, less those that are filled as they are: a blank picture in
    Markdown, where an empty text is the right one.
    """
    for document in documents:
        for gap in document.gaps:
            try:
                picture = document.picture(gap)
                blank = gap.blank or is_blank(picture)
                finding = Finding(document, gap, picture, blank=blank)
            except NoPicture as error:
                finding = Finding(document, gap, problem=str(error), blank=gap.blank)
            if not (finding.blank and gap.says_decorative):
                yield finding


def is_blank(picture: Path) -> bool:
    """Whether the picture is at most two pixels wide or high, or long and thin like a rule."""
    if not picture.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(picture) as opened:
                thin, long = sorted(opened.size)
    except Exception:  # whatever Pillow says of a file that it cannot read: it is told later
        return False
    return thin <= _DOT or (thin <= _RULE and long >= _STRETCH * thin)
