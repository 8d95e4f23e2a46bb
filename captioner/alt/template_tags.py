"""Tags of Hugo, Jekyll and Eleventy that show a picture, and addresses that they make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|svg|bmp|tiff?|heic|heif|jxl)\b", re.IGNORECASE)

_CLOSERS = {"{{<": ">}}", "{{%": "%}}", "{{": "}}", "{%": "%}"}
_LONGEST = 5000  # characters of a tag
_OPENER = re.compile(r"\{\{[<%]|\{%")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SHOWS = re.compile(
    r"-?\s*(?P<name>(?:include(?:_cached|_relative)?\s+)?(?:[\w-]+/)*"
    r"(?:figure|fig|img|image|picture|photo)(?:\.\w+)?)(?=\s|$)(?P<rest>.*)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"""([\w:-]+)\s*=\s*("(?:\\.|[^"\\])*"|'[^']*'|`[^`]*`|\{[^{}]*\}|[^\s"'`=]+)"""
)
_STRING = re.compile(r"""["']([^"'\n]*)["']""")

_BASE = re.compile(r"\{\{-?\s*(?:site\.(?:base)?url|\$?\.?site\.baseurl)\s*-?\}\}", re.IGNORECASE)
_FILTERED = re.compile(
    r"""\{\{-?\s*(?:(?:rel|abs)URL\s+)?(["'])(?P<address>[^"'{}]*)\1\s*"""
    r"""(?:\|\s*(?:relative_url|absolute_url|relURL|absURL|url|prepend:\s*site\.\w+)\s*)*-?\}\}"""
)
_LINK = re.compile(r"""\{%-?\s*link\s+["']?(?P<address>[^%"']+?)["']?\s*-?%\}""")
_CALL = re.compile(r"""\{\s*\w+\(\s*(["'`])(?P<address>[^"'`]*)\1\s*\)(?:\.default)?\s*\}""")
_NAME = re.compile(r"\{\s*(\w+)(?:\.(?:src|default))?\s*\}")
_IMPORT = re.compile(
    r"""^import\s+(?P<name>\w+)\s+from\s+["'](?P<address>[^"'\n]+)["']""", re.MULTILINE
)
_TEMPLATE = re.compile(r"\{\{|\{%|<\?|<%|\$\{|^\{")


@dataclass(frozen=True)
class Tag:
    """A template's tag: where it ends, and, if it shows a picture, which and where words go."""

    end: int
    source: str = ""
    words: int | None = None
    lacks_text: bool = False


def template_tag(text: str, at: int) -> Tag | None:
    """The tag that starts there, such as `{{< figure src="a.jpg" >}}` or `{% link a.md %}`."""
    opener = next((mark for mark in _CLOSERS if text.startswith(mark, at)), None)
    close = text.find(_CLOSERS[opener], at, at + _LONGEST) if opener else -1
    if not opener or close < 0:
        return None
    end = close + len(_CLOSERS[opener])
    found = _SHOWS.match(text, at + len(opener), close) if opener != "{{" else None
    if not found:
        return Tag(end)
    given, strings = attributes(found["rest"]), _STRING.findall(found["rest"])
    # By `alt`, also empty, a caption, or a second string a tag names its picture.
    named = "alt" in given or any(given.get(name) for name in ("caption", "title"))
    if named or (not given and len(strings) > 1):
        return Tag(end)
    pictures = (value for value in [*given.values(), *strings] if PICTURE.search(value))
    own = opener.startswith("{{") and found["name"] == "figure" and "src" in given
    source = given.get("src") or next(pictures, "")
    return Tag(end, source, found.end("name") if own else None, lacks_text=True)


def picture_tags(text: str) -> Iterator[tuple[int, Tag]]:
    """The tags outside of comments that show a picture and lack a text, and where they start."""
    bare = _COMMENT.sub(lambda found: " " * len(found[0]), text)
    for found in _OPENER.finditer(bare):
        tag = template_tag(bare, found.start())
        if tag and tag.lacks_text:
            yield found.start(), tag


def attributes(text: str) -> dict[str, str]:
    """The `name="value"` pairs of a tag."""
    return {name.lower(): value.strip("\"'`") for name, value in _ATTRIBUTE.findall(text)}


def plain_address(address: str) -> str | None:
    """The address with what stands for the site's start filled in; None: only a template knows it.

    `{{ site.baseurl }}/a.jpg`, `{{ "/a.jpg" | relative_url }}`, `{% link a.jpg %}` and JSX's
    `{require("./a.jpg").default}` are understood.
    """
    address, based = _BASE.subn("/", address)
    address = _FILTERED.sub(r"\g<address>", address)
    address = _LINK.sub(r"/\g<address>", address)
    address = _CALL.sub(r"\g<address>", address)
    if _TEMPLATE.search(address):
        return None
    return "/" + address.lstrip("/") if based else address


def imported(address: str, page: str) -> str:
    """What `{photo}` or `{photo.src}` in JSX was imported from, where the page says so."""
    name = _NAME.fullmatch(address)
    given = (found for found in _IMPORT.finditer(page) if name and found["name"] == name[1])
    return next((found["address"] for found in given), address)
