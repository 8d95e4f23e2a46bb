"""Images without `alt` in HTML, read as a browser reads it.

justhtml follows the HTML standard's parsing algorithm in linear time and knows where each tag
stands; what is inside comments, scripts and text areas is no tag.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter

from justhtml import JustHTML
from justhtml.dom import Element, Node

from captioner.alt.gaps import Gap
from captioner.alt.template_tags import picture_tags

_LAZY = ("data-src", "data-original", "data-lazy-src")
_NAMES = ("aria-label", "aria-labelledby", "title")
_NAMED_BY_CONTENT = ("link", "button")
_TEMPLATE = re.compile(r"\{\{|\{%|<\?|<%|^\{")
_TAG = re.compile("<[a-zA-Z]+")
_DOT = re.compile(r"\s*[01]\s*(?:px)?\s*")
_BUTTON = "is a button: write by hand what it does"
_MADE_BY_TEMPLATE = "a template makes its attributes; see to it by hand"


def gaps(document: str) -> Iterator[Gap]:
    """The pictures that lack `alt` and need one, in order, and templates' tags for pictures.

    An empty alt says "decorative" and is no gap; nor is what is hidden from screen readers or has
    a name from ARIA, a title, or the link, button or figure around it.
    """
    yield from (gap for _, gap in located(document))


def located(document: str) -> Iterator[tuple[int, Gap]]:
    """The gaps, each with the place where its tag starts."""
    newlines = [match.start() for match in re.finditer("\n", document)]
    templates = (
        (start, Gap(tag.source, 0, tag.words, "shortcode")) for start, tag in picture_tags(document)
    )
    for start, gap in sorted([*_tags(document), *templates], key=itemgetter(0)):
        yield start, replace(gap, line=bisect_left(newlines, start) + 1)


def _tags(document: str) -> Iterator[tuple[int, Gap]]:
    found = {element.origin_offset or 0: element for element in _unnamed(_tree(document))}
    for offset, element in found.items():
        attributes = _attributes(element)
        problem = _BUTTON if element.name == "input" else ""
        if any(map(_TEMPLATE.search, attributes)):
            problem = _MADE_BY_TEMPLATE
        tag = None if problem else _TAG.match(document, offset)
        place = tag.end() if tag else None
        blank = any(_DOT.fullmatch(attributes.get(side, "")) for side in ("width", "height"))
        yield offset, Gap(_source(attributes), 0, place, "html", problem, blank)


def base(document: str) -> str:
    """What the page says its addresses start from."""
    found = _tree(document).query_one('base[href]:not([href=""])')
    return _attributes(found)["href"] if isinstance(found, Element) else ""


def _tree(document: str) -> Node:
    """The page; its offsets are the document's, as what the parser leaves out is replaced first."""
    document = document.replace("\r\n", " \n").replace("\r", "\n")
    if document.startswith("\ufeff"):
        document = " " + document[1:]
    page = JustHTML(document, sanitize=False, track_node_locations=True, scripting_enabled=False)
    return page.root


def _elements(tree: Node) -> Iterator[Element]:
    """Every element, parents before their children."""
    pending: list[object] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, Element):
            yield node
        if isinstance(node, Node):
            pending += reversed(node.children or [])
            pending += [content for content in [getattr(node, "template_content", None)] if content]


def _unnamed(tree: Node) -> Iterator[Element]:
    elements = list(_elements(tree))
    worded = _worded(elements)
    named: set[int] = set()
    for element in elements:
        attributes = _attributes(element)
        hidden = attributes.get("aria-hidden", "").lower() == "true"
        if id(element.parent) in named or hidden or _names_its_pictures(element, worded):
            named.add(id(element))
        elif _is_picture(element) and "alt" not in attributes and not _has_name(attributes):
            yield element


def _worded(elements: list[Element]) -> set[int]:
    """The elements, by id, that hold words: text, or another picture's name."""
    worded = set()
    for element in reversed(elements):
        own = element.name not in ("script", "style") and any(
            child.name == "#text" and str(child.data).strip() for child in element.children or []
        )
        attributes = _attributes(element)
        if own or id(element) in worded or attributes.get("alt", "").strip():
            worded |= {id(element), id(element.parent)}
    return worded


def _names_its_pictures(element: Element, worded: set[int]) -> bool:
    """Whether this is a link, a button, a figure or one picture of several parts, with a name."""
    attributes = _attributes(element)
    role = _role(attributes)
    if element.name == "button" or (element.name == "a" and "href" in attributes):
        role = role or "link"
    if element.name == "figure":
        captions = (child for child in element.children or [] if child.name == "figcaption")
        return _has_name(attributes) or any(id(caption) in worded for caption in captions)
    if role in _NAMED_BY_CONTENT:
        return _has_name(attributes) or id(element) in worded
    return role == "img" and not _is_picture(element) and _has_name(attributes)


def _has_name(attributes: dict[str, str]) -> bool:
    """Whether it has a name of its own, or says that it needs none."""
    nameless = _role(attributes) in ("presentation", "none")
    return nameless or any(attributes.get(name, "").strip() for name in _NAMES)


def _role(attributes: dict[str, str]) -> str:
    return next(iter(attributes.get("role", "").lower().split()), "")


def _is_picture(element: Element) -> bool:
    if element.namespace not in (None, "html"):
        return False
    kind = _attributes(element).get("type", "").lower()
    return element.name == "img" or (element.name == "input" and kind == "image")


def _attributes(element: Element) -> dict[str, str]:
    return {name: value or "" for name, value in element.attrs.items()}


def _source(attributes: dict[str, str]) -> str:
    """The picture shown; a page that loads late names it beside a blank one."""
    source = attributes.get("src", "").strip()
    if not source or source.startswith("data:"):
        late = next((attributes[name] for name in _LAZY if attributes.get(name)), "")
        first = attributes.get("srcset", "").strip().split(",")[0].split()
        source = late or source or (first[0] if first else "")
    return source
