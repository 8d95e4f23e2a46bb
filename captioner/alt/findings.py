"""What is known of a gap: its picture's file, or why there is none, and the text proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from captioner.alt.blank_pictures import is_blank
from captioner.alt.documents import Document, NoPicture
from captioner.alt.gaps import Gap

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
            finding = _finding(document, gap)
            if not (finding.blank and gap.says_decorative):
                yield finding


def _finding(document: Document, gap: Gap) -> Finding:
    try:
        picture = document.picture(gap)
    except NoPicture as error:
        return Finding(document, gap, problem=str(error), blank=gap.blank)
    return Finding(document, gap, picture, blank=gap.blank or is_blank(picture))
