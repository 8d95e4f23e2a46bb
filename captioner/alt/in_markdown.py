"""Images without a text in Markdown: `![](photo.jpg)`, and `<img>` in the HTML within it.

markdown-it says what is an image, following CommonMark and GitHub's tables. It knows the lines of
a block, but not where in them an image stands; that is noted as its rules match, and carried over
to the document line by line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, html_inline, image
from markdown_it.token import Token

from captioner.alt import in_html
from captioner.alt.gaps import Gap

Rule = Callable[[StateInline, bool], bool]


def gaps(document: str) -> Iterator[Gap]:
    """The images without a text, in order."""
    lines = _Lines(document)
    for token in _parser().parse(document):
        if token.map is None:
            continue
        if token.type == "html_block":
            for gap in in_html.gaps(token.content):
                yield lines.gap(gap, token)
        elif token.type == "inline":
            found = list(_inline(token.children or [], token.content))
            lines.enter(token)
            for gap in found:
                yield lines.gap(gap, token)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table")
    parser.inline.ruler.at("image", _noting_place(image))
    parser.inline.ruler.at("html_inline", _noting_place(html_inline))
    return parser


def _noting_place(rule: Rule) -> Rule:
    """The rule, with the place of what it matched, in the block's text, put into the token."""

    def noting(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        matched = rule(state, silent)
        if matched and len(state.tokens) > before:
            state.tokens[-1].meta["place"] = start
        return matched

    return noting


def _inline(children: list[Token], content: str) -> Iterator[Gap]:
    """The gaps in a block's text, their places and lines within it."""
    for child in children:
        place = child.meta.get("place")
        if place is None:
            continue
        line = content.count("\n", 0, place) + 1
        if child.type == "image" and not child.content.strip():
            source = str(child.attrs.get("src", ""))
            yield Gap(source, line, place + len("!["), "markdown")
        elif child.type == "html_inline":
            for gap in in_html.gaps(child.content):
                yield Gap(gap.source, line, place + (gap.place or 0), "html")


class _Lines:
    """The document's lines, to find a block's text in, whose lines lack what is before them."""

    def __init__(self, document: str) -> None:
        ends = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", document)), len(document)]
        self._starts = ends
        self._lines = [document[start:end] for start, end in pairwise(ends)]
        self._columns: defaultdict[int, int] = defaultdict(int)
        self._entered: dict[int, int | None] = {}

    def enter(self, token: Token) -> None:
        """Go past a block's text: of two cells in a row the second is looked for after this."""
        first = (token.map or [0])[0]
        for number, text in enumerate(token.content.split("\n"), first):
            self._entered[number] = self._find(number, text)

    def gap(self, gap: Gap, token: Token) -> Gap:
        """A gap in a block's text as one in the document."""
        first = (token.map or [0])[0]
        before = token.content.split("\n")[: gap.line - 1]
        number = first + gap.line - 1
        column = (gap.place or 0) - sum(len(line) + 1 for line in before)
        text = token.content.split("\n")[gap.line - 1]
        column -= len(text) - len(text.lstrip())
        if token.type == "html_block":
            self._entered[number] = self._at(number, text, 0)
        start = self._entered.get(number)
        place = None if start is None else self._starts[number] + start + column
        return Gap(gap.source, number + 1, place, gap.kind)

    def _find(self, number: int, text: str) -> int | None:
        at = self._at(number, text, self._columns[number])
        if at is not None:
            self._columns[number] = at + len(text.strip())
        return at

    def _at(self, number: int, text: str, after: int) -> int | None:
        at = self._lines[number].find(text.strip(), after) if number < len(self._lines) else -1
        return None if at < 0 else at
