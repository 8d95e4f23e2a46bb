"""What is known of a gap before any picture is described: its file, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from captioner.alt.blank_pictures import is_blank
from captioner.alt.documents import Document, NoPicture
from captioner.alt.gaps import Gap


@dataclass(frozen=True)
class Finding:
    """A gap, and its picture's file or the problem with it; a blank picture needs no words."""

    document: Document
    gap: Gap
    picture: Path | None = None
    problem: str = ""
    blank: bool = False


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
