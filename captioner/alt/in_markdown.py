"""Images without a text in Markdown: `![](photo.jpg)`, and `<img>` in the HTML within it.

markdown-it says what is an image, following CommonMark and GitHub's tables. What it reads is put
down as the HTML page that it becomes, whose gaps `in_html` finds, as a link or a figure around an
image may name it; each is then carried back to where it stands in the document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
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
    page = _Page(body)
    for token in parser().parse(body, {"addresses": dict(_ADDRESS.findall(body))}):
        page.add(token)
    yield from page.gaps()


@dataclass(frozen=True)
class _Piece:
    """Part of the page that a token became, and the block of Markdown that the token is of."""

    token: Token
    block: _Block
    start: int  # in the page

    def carried(self, start: int, gap: Gap) -> Gap:
        """A gap of the page, whose tag starts there, as one of the document."""
        at, meta = self.token.meta.get("place", 0), self.token.meta
        if "kind" in meta:
            words = meta["words"]
        else:
            at, words = at + start - self.start, gap.place and at + gap.place - self.start
        line, _ = self.block.find(at)
        place = None if words is None else self.block.find(words)[1]
        return replace(gap, line=line, place=place, kind=meta.get("kind", gap.kind))


class _Page:
    """The HTML of a document, and which of its parts may hold pictures."""

    def __init__(self, document: str) -> None:
        self._lines = _Lines(document)
        self._parts: list[str] = []
        self._length = 0
        self._pieces: list[_Piece] = []

    def add(self, token: Token) -> None:
        """Put down what the token becomes."""
        if token.type == "inline":
            block = self._lines.block(token)
            for child in token.children or []:
                self._put(child, block)
        elif token.type == "html_block":
            block = self._lines.block(token)
            self._put(token, block)
            opened = (name for name in _RAW if f"<{name}" in token.content.lower())
            self._write("".join(f"</{name}>" for name in opened))
            for inner in _markdown_in_html(token):
                self._put(inner, block)
        elif found := _myst_figure(token):
            self._put(found, self._lines.block(token))
        elif token.tag:
            self._put(token, None)

    def gaps(self) -> Iterator[Gap]:
        starts = [piece.start for piece in self._pieces]
        for start, gap in in_html.located("".join(self._parts)):
            piece = self._pieces[bisect_right(starts, start) - 1]
            yield piece.carried(start, gap)

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _put(self, token: Token, block: _Block | None) -> None:
        if block and ("place" in token.meta or token.type == "html_block"):
            self._pieces.append(_Piece(token, block, self._length))
        self._write(_html(token))


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


class _Block:
    """Where a block's text stands in the document, whose lines have more before it."""

    def __init__(self, first: int, content: list[str], places: list[int | None]) -> None:
        self._first, self._places = first, places
        self._starts = [0, *accumulate(len(line) + 1 for line in content)]
        self._indents = [len(line) - len(line.lstrip()) for line in content]

    def find(self, offset: int) -> tuple[int, int | None]:
        """The line and, if it can be told, the place in the document of an offset in the text."""
        number = bisect_right(self._starts, offset) - 1
        column = offset - self._starts[number] - self._indents[number]
        start = self._places[number]
        return self._first + number + 1, None if start is None else start + column


class _Lines:
    """The document's lines, to find a block's text in."""

    def __init__(self, document: str) -> None:
        ends = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", document)), len(document)]
        self._starts = ends
        self._lines = [document[start:end] for start, end in pairwise(ends)]
        self._columns: defaultdict[int, int] = defaultdict(int)

    def block(self, token: Token) -> _Block:
        """The place of a block's text; of two cells in a row the second is looked for after it."""
        first = (token.map or [0])[0]
        content = token.content.split("\n")
        places = [self._find(number, text.strip()) for number, text in enumerate(content, first)]
        return _Block(first, content, places)

    def _find(self, number: int, text: str) -> int | None:
        if number >= len(self._lines):
            return None
        column = self._lines[number].find(text, self._columns[number])
        if column < 0:
            return None
        self._columns[number] = column + len(text)
        return self._starts[number] + column
