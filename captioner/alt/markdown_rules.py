"""What pictures look like in Markdown beyond CommonMark: rules that make `image` tokens of them.

Hugo's and Liquid's tags, Obsidian's `![[photo.jpg]]`, MyST's figures, JSX, and addresses that only
are one once a template has been filled in. Each token's `meta` says where the picture stands in its
block's text (`place`), where its words go (`words`; None: not here) and how (`kind`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference
from markdown_it.rules_inline import StateInline, html_inline, image

from captioner.alt.gaps import Kind
from captioner.alt.template_tags import PICTURE, attributes, template_tag

Rule = Callable[[StateInline, bool], bool]

_AFTER = re.compile(r"\{:?[^{}\n]*\}")
LOOSE = re.compile(
    r"""!\[(?P<alt>[^][\n]*)\]\(\s*(?P<src>(?:\{[{%][^{}\n]*[%}]\}|[^(){}<>"\n]){1,300}?)"""
    r"""(?:\s+"(?P<title>[^"\n]*)")?(?:\s+=[\dx%]+)?\s*\)"""
)
_UNRESOLVED = re.compile(r"!\[\s*\]\[(?P<label>[^][\n]+)\]")
_WIKI = re.compile(r"!\[\[(?P<src>[^][|\n]+)(?P<parts>(?:\|[^][|\n]*)*)\]\]")
_SIZE = re.compile(r"\s*\d*(?:x\d+)?\s*")
_JSX = re.compile(r"<(?P<name>img|Img|Image|Picture|Figure)(?=[\s/])")
_LONGEST = 1000  # characters of a JSX tag
_MYST = re.compile(r":{3,}\{(?:figure|image)\}\s*(?P<src>\S+)(?P<rest>[^\0]*)")


def parser() -> MarkdownIt:
    """CommonMark with GitHub's tables and footnotes, and these rules."""
    markdown = MarkdownIt("commonmark").enable("table")
    markdown.normalizeLink = lambda url: url  # type: ignore[method-assign]
    markdown.validateLink = lambda url: True  # type: ignore[method-assign]
    markdown.block.ruler.at("reference", _no_footnote)
    rules = markdown.inline.ruler
    rules.at("image", _noting(image))
    rules.at("html_inline", _noting(html_inline))
    rules.before("image", "wiki", _wiki)
    rules.after("image", "loose_image", _loose)
    rules.before("html_inline", "jsx", _jsx)
    rules.before("emphasis", "template_tag", _template_tag)
    rules.before("emphasis", "myst", _myst)
    return markdown


def _no_footnote(state: StateBlock, line: int, end: int, silent: bool) -> bool:
    """`[^1]: ![](a.jpg)` is a footnote's text, no address."""
    start = state.bMarks[line] + state.tShift[line]
    return not state.src.startswith("[^", start) and reference(state, line, end, silent)


def _noting(rule: Rule) -> Rule:
    """The rule, with the place of what it matched; attributes after a picture are its own."""

    def noting(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        matched = rule(state, silent)
        if matched and len(state.tokens) > before:
            token = state.tokens[-1]
            token.meta["place"] = start
            if token.type == "image":
                token.meta |= {"words": start + len("!["), "kind": "markdown"}
                after = _AFTER.match(state.src, state.pos)
                token.attrs |= _pandoc(after[0]) if after else {}
        return matched

    return noting


def _pandoc(text: str) -> dict[str, str | int | float]:
    given = attributes(text.strip("{:}"))
    alt = given.get("alt", given.get("fig-alt"))
    own = {} if alt is None else {"alt": alt} if alt else {"role": "presentation"}
    return {**given, **own}


def _picture(
    state: StateInline,
    silent: bool,
    end: int,
    attributes: dict[str, str],
    kind: Kind,
    words: int | None = None,
) -> bool:
    """A picture from here to `end`, whose words go to `words`; `silent` only asks whether."""
    if not silent:
        token = state.push("image", "img", 0)
        token.attrs = {name: value for name, value in attributes.items() if value.strip()}
        token.meta = {"place": state.pos, "words": words, "kind": kind}
    state.pos = end
    return True


def _wiki(state: StateInline, silent: bool) -> bool:
    found = _WIKI.match(state.src, state.pos)
    if not found or not PICTURE.search(found["src"]):
        return False
    words = (part for part in found["parts"].split("|") if not _SIZE.fullmatch(part))
    given = {"src": found["src"].strip(), "alt": " ".join(words)}
    return _picture(state, silent, found.end(), given, "wiki", found.end("src"))


def _loose(state: StateInline, silent: bool) -> bool:
    """`![]({{ site.baseurl }}/a.jpg)`, `![](my photo.jpg)`, `![](a.jpg =100x)`, `![][unknown]`."""
    if state.src[state.pos] != "!":
        return False
    found = LOOSE.match(state.src, state.pos) or _UNRESOLVED.match(state.src, state.pos)
    if not found:
        return False
    given = {name: value or "" for name, value in found.groupdict().items()}
    if "label" in given:
        given["src"] = str(state.env.get("addresses", {}).get(given.pop("label"), ""))
    return _picture(state, silent, found.end(), given, "markdown", state.pos + len("!["))


def _jsx(state: StateInline, silent: bool) -> bool:
    """`<img src={require("./a.jpg").default} />`, which is no HTML."""
    found = _JSX.match(state.src, state.pos)
    end = _tag_end(state.src, found.end()) if found else None
    if not found or end is None or "{" not in state.src[state.pos : end]:
        return False
    inside = state.src[found.end() : end]
    given = attributes(inside)
    decided = "alt" in given or "..." in inside
    if decided or any(given.get(name) for name in ("title", "aria-label", "aria-labelledby")):
        state.pos = end
        return True
    return _picture(state, silent, end, {"src": given.get("src", "")}, "html", found.end())


def _tag_end(text: str, at: int) -> int | None:
    """Where a JSX tag ends: at the first `>` outside of quotes and braces."""
    last = text.rfind(">", at, at + _LONGEST)
    depth, quote = 0, ""
    for place in range(at, last + 1):
        mark = text[place]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'`":
            quote = mark
        elif mark in "<>" and not depth:
            return place + 1 if mark == ">" else None
        depth += (mark == "{") - (mark == "}") if not quote else 0
    return None


def _template_tag(state: StateInline, silent: bool) -> bool:
    """`{{< figure src="a.jpg" >}}`, `{% include image.html src="a.jpg" %}`; other tags are text."""
    tag = template_tag(state.src, state.pos)
    if not tag:
        return False
    if tag.lacks_text:
        return _picture(state, silent, tag.end, {"src": tag.source}, "shortcode", tag.words)
    if not silent:
        state.pending += state.src[state.pos : tag.end]
    state.pos = tag.end
    return True


def _myst(state: StateInline, silent: bool) -> bool:
    """`:::{figure} a.jpg`, with its options and its caption below."""
    found = _MYST.match(state.src, state.pos)
    if not found or silent or state.pos:
        return False
    if myst_has_words(found["rest"]):
        state.pos = found.end()
        return True
    return _picture(state, silent, found.end(), {"src": found["src"]}, "shortcode")


def myst_has_words(body: str) -> bool:
    """Whether a MyST figure has an `:alt:`, or a caption: the lines that are no option."""
    lines = [line.strip() for line in body.splitlines() if line.strip().strip(":`")]
    return any(line.startswith(":alt:") or not line.startswith(":") for line in lines)
