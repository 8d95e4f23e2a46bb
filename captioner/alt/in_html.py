"""Images without `alt` in HTML, by Python's own parser, which knows where each tag stands."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import accumulate

from captioner.alt.gaps import Gap

_LAZY = ("data-src", "data-original", "data-lazy-src")


def gaps(document: str) -> Iterator[Gap]:
    """The `<img>` tags without `alt`, in order. An empty alt says "decorative" and is no gap."""
    parser = _Images(document)
    parser.feed(document)
    parser.close()
    yield from parser.gaps


class _Images(HTMLParser):
    # What looks like tags within these is text.
    CDATA_CONTENT_ELEMENTS = (  # type: ignore[misc]
        *("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"),
    )

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.gaps: list[Gap] = []
        lengths = (len(line) + 1 for line in document.split("\n"))
        self._starts = [0, *accumulate(lengths)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in reversed(attrs)}  # the first counts
        if tag == "img" and "alt" not in given:
            line, column = self.getpos()
            place = self._starts[line - 1] + column + len("<img")
            self.gaps.append(Gap(_source(given), line, place, "html"))

    handle_startendtag = handle_starttag


def _source(attributes: dict[str, str]) -> str:
    """The picture shown; a page that loads late names it beside a blank one."""
    source = attributes.get("src", "").strip()
    if not source or source.startswith("data:"):
        late = next((attributes[name] for name in _LAZY if attributes.get(name)), "")
        first = attributes.get("srcset", "").strip().split(",")[0].split()
        source = late or source or (first[0] if first else "")
    return source
