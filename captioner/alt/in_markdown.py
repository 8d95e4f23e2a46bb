"""Images without a text in Markdown: `![](photo.jpg)`, and `<img>` in the HTML within it.

markdown-it says what is an image, following CommonMark and GitHub's tables. What it reads is put
down as the HTML page that it becomes, whose gaps `in_html` finds, as a link or a figure around an
image may name it; each is then carried back to where it stands in the document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from html import escape
from itertools import accumulate, pairwise
from typing import Any

from markdown_it.token import Token

from captioner.alt import in_html
from captioner.alt.gaps import Gap
from captioner.alt.markdown_rules import LOOSE, myst_has_words, parser

_FRONT_MATTER = re.compile(
    r"\A\ufeff?(---|\+\+\+)[ \t]*\r?\n.*?^\1[ \t]*$", re.DOTALL | re.MULTILINE
)
_ADDRESS = re.compile(r"^ {0,3}\[([^]^\n][^]\n]*)\]:[ \t]*([^\n]+?)[ \t]*$", re.MULTILINE)
_MYST_FENCE = re.compile(r"\{(?:figure|image)\}\s*(\S+)")
_RAW = ("script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes")
_NO_MARKDOWN = re.compile(
    # Each ends with the document at the latest: else a thousand beginnings are a thousand searches.
    r"<!--.*?(?:-->|\Z)|<(pre|code|script|style|textarea)\b.*?(?:</\1|\Z)|<[a-z/!?][^>]*(?:>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_RAW_TAG = re.compile(rf"</?(?:{'|'.join(_RAW)}|plaintext)\b.*", re.IGNORECASE | re.DOTALL)
_PLAINTEXT = re.compile("<(?=plaintext)", re.IGNORECASE)


def gaps(document: str) -> Iterator[Gap]:
    """The images without a text, in order."""
    body = _FRONT_MATTER.sub(lambda found: re.sub(r"[^\r\n]", " ", found[0]), document)
    pieces = list(_pieces(body))
    starts = list(accumulate((len(piece.html) for piece in pieces), initial=0))[:-1]
    for start, gap in in_html.located("".join(piece.html for piece in pieces)):
        number = bisect_right(starts, start) - 1
        yield pieces[number].carried(gap, start, starts[number])


@dataclass(frozen=True)
class _Piece:
    """Part of the page: the HTML that a token becomes, and the lines of its block of Markdown."""

    html: str
    token: Token
    lines: list[_Line]

    def carried(self, gap: Gap, tag: int, start: int) -> Gap:
        """A gap of the page, where its tag and this piece start there, as one of the document."""
        at, meta = self.token.meta.get("place", 0), self.token.meta
        if "kind" in meta:
            words = meta["words"]
        else:
            at, words = at + tag - start, gap.place and at + gap.place - start
        line, _ = _found(self.lines, at)
        place = None if words is None else _found(self.lines, words)[1]
        return replace(gap, line=line, place=place, kind=meta.get("kind", gap.kind))


def _pieces(document: str) -> Iterator[_Piece]:
    """What the tokens become."""
    places = _Places(document)
    for token in parser().parse(document, {"addresses": dict(_ADDRESS.findall(document))}):
        inside: Iterable[Token] = [token] if token.tag else []
        closed = ""
        if token.type == "inline":
            inside = token.children or []
        elif token.type == "html_block":
            opened = (name for name in _RAW if f"<{name}" in token.content.lower())
            closed = "".join(f"</{name}>" for name in opened)
            inside = [token, *_markdown_in_html(token)]
        elif found := _myst_figure(token):
            inside = [found]
        lines = places.lines(token)
        for each in inside:
            yield _Piece(_html(each) + (closed if each is token else ""), each, lines)


def _myst_figure(token: Token) -> Token | None:
    """The picture that a fence of MyST stands for, where it lacks words."""
    found = _MYST_FENCE.match(token.info) if token.type == "fence" else None
    if not found or myst_has_words(token.content):
        return None
    meta = {"place": 0, "words": None, "kind": "shortcode"}
    return Token("image", "img", 0, attrs={"src": found[1]}, map=token.map, meta=meta)


def _markdown_in_html(token: Token) -> Iterator[Token]:
    """Pictures in Markdown between tags, which MDX and kramdown read and CommonMark does not."""
    bare = _NO_MARKDOWN.sub(lambda found: " " * len(found[0]), token.content)
    for found in LOOSE.finditer(bare):
        if not found["alt"].strip():
            meta = {"place": found.start(), "words": found.start("alt"), "kind": "markdown"}
            given = {"src": found["src"], "title": found["title"] or ""}
            yield Token("image", "img", 0, attrs=given, map=token.map, meta=meta)


def _html(token: Token) -> str:
    if token.type == "html_block":
        return _PLAINTEXT.sub(" ", token.content)
    if token.type == "html_inline":  # in a text about HTML, not to take in all that follows
        return "" if _RAW_TAG.match(token.content) else token.content
    if token.type == "image":
        return _tag("img", {**token.attrs, "alt": token.attrs.get("alt") or _words(token)})
    if token.nesting < 0:
        return f"</{token.tag}>"
    if token.tag and token.type not in ("code_inline", "code_block", "fence"):
        return _tag(token.tag, token.attrs)
    return (
        "\n"
        if token.type in ("softbreak", "hardbreak")
        else escape(token.content).replace("{", "&#123;")
    )


def _tag(name: str, attributes: dict[str, Any]) -> str:
    given = {key: value for key, value in attributes.items() if key != "alt" or str(value).strip()}
    return f"<{name}" + "".join(f' {key}="{escape(str(v))}"' for key, v in given.items()) + ">"


def _words(image: Token) -> str:
    """The text that the image is rendered with."""
    children = image.children or []
    own = "" if children else image.content
    return own + "".join(
        _words(child) if child.type == "image" else child.content
        for child in children
        if child.type != "html_inline"
    )


@dataclass(frozen=True)
class _Line:
    """A line of a block's text, which has more before it in the document: where it starts in the
    text, its number in the document and, if it can be told, its place there."""

    start: int
    number: int
    place: int | None


def _found(lines: list[_Line], offset: int) -> tuple[int, int | None]:
    """The number and the place in the document of an offset in a block's text."""
    line = lines[max(0, bisect_right(lines, offset, key=lambda line: line.start) - 1)]
    return line.number, None if line.place is None else line.place + offset - line.start


class _Places:
    """The document's lines, to find a block's text in."""

    def __init__(self, document: str) -> None:
        ends = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", document)), len(document)]
        self._starts = ends
        self._lines = [document[start:end] for start, end in pairwise(ends)]
        self._columns: defaultdict[int, int] = defaultdict(int)

    def lines(self, token: Token) -> list[_Line]:
        """Those of a block's text; of two cells in a row the second is looked for after it."""
        lines, start = [], 0
        for number, text in enumerate(token.content.split("\n"), (token.map or [0])[0]):
            indent = len(text) - len(text.lstrip())
            lines.append(_Line(start + indent, number + 1, self._find(number, text.strip())))
            start += len(text) + 1
        return lines

    def _find(self, number: int, text: str) -> int | None:
        if number >= len(self._lines):
            return None
        column = self._lines[number].find(text, self._columns[number])
        if column < 0:
            return None
        self._columns[number] = column + len(text)
        return self._starts[number] + column
