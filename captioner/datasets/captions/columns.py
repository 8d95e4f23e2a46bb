"""What the columns of a file of captions are called, in all the names that the field uses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from captioner.datasets.captions.names import first_few
from captioner.errors import CaptionerError

LONGEST = 10_000
"""Characters of a caption. METEOR's time grows with the square of them."""

IDS = ("image_id", "img_id", "imgid", "cocoid", "photo_id", "question_id")
ROW_IDS = ("id", "key")  # of a photo, or only of the row
NAMES = (
    *("file_name", "filename", "image", "image_name", "image_path", "image_file", "img"),
    *("img_path", "img_name", "file", "file_path", "filepath", "path", "photo", "name"),
    *("image_url", "coco_url", "url"),
)
CAPTIONS = (
    *("captions", "caption", "text", "texts", "comment", "sentence", "sentences", "prediction"),
    *("hyp", "hypothesis", "candidate", "cand", "generated_text"),
    *("references", "reference_strs", "caption_str", "raw", "description", "answer"),
)

_NUMBERED = re.compile(r"(.*?)_?[0-9]+")
HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Entry:
    """One row: its `cells` by column, and the `place` that an error names, file and line."""

    place: str
    cells: Mapping[str, Any]


@lru_cache(maxsize=1024)
def plain(name: str) -> str:
    """A column's name as it is compared: "Image Name" and "image-name" are image_name."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


@dataclass(frozen=True)
class TableHeader:
    """The columns of a row: as they are written, by their plain names; those that hold captions,
    the likeliest first; and those that hold one caption each: caption_1, caption_2 …"""

    named: Mapping[str, str]
    captions: tuple[str, ...]
    numbered: tuple[str, ...]


@lru_cache(maxsize=1024)
def header(names: tuple[str, ...]) -> TableHeader:
    """What a row's columns mean: the rows of a file mostly have the same."""
    named = {plain(name): name for name in names}
    numbered = [name for name in named if (n := _NUMBERED.fullmatch(name)) and n[1] in CAPTIONS]
    captions = (named[name] for name in CAPTIONS if name in named)
    return TableHeader(named, tuple(captions), tuple(named[name] for name in numbered))


def cell(cells: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The cell of the first of the `names` that holds something; None if none does."""
    named = header(tuple(cells)).named
    for name in names:
        if name in named and (value := cells[named[name]]) is not None:
            return value
    return None


def has_photo(names: Iterable[str]) -> bool:
    """Whether one of a header's columns names photos."""
    return not header(tuple(names)).named.keys().isdisjoint((*IDS, *NAMES, *ROW_IDS))


def has_caption(names: Iterable[str]) -> bool:
    """Whether one of a header's columns holds captions."""
    columns = header(tuple(names))
    return bool(columns.captions or columns.numbered)


def columns(path: Path, names: Sequence[str]) -> None:
    """Raise CaptionerError unless a header has columns of photos and of captions, each once."""
    for what, there, example in (
        ("caption", has_caption(names), "caption"),
        ("photo", has_photo(names), "image or image_id"),
    ):
        if not there:
            raise CaptionerError(
                f"{path}: which column holds the {what}? Call it {example}; "
                f"it has {first_few(names, 12)}"
            )
    known = [plain(name) for name in names]
    double = next((name for name in known if name and known.count(name) > 1), None)
    if double:
        raise CaptionerError(f"{path}: its header names the column {double!r} twice")


def captions(cells: Mapping[str, Any]) -> list[Any]:
    """The captions in a row: texts, or what stands in their place; none where there is no such
    column. A list, also one written as JSON in a table's cell, holds several."""
    columns = header(tuple(cells))
    filled = [name for name in columns.captions if cells[name] is not None]
    wanted = (filled or columns.captions)[:1] or columns.numbered
    return [one for name in wanted for one in _several(cells[name])]


def _several(value: Any) -> Iterator[Any]:
    if isinstance(value, str) and value.startswith('["') and value.rstrip().endswith('"]'):
        with suppress(ValueError):
            value = json.loads(value)
    for one in value if isinstance(value, list) else [value]:
        yield next(iter(captions(one)), None) if isinstance(one, dict) else one


def whole_caption(text: Any, where: str) -> str:
    """A caption without the space around it; "" for null. Raises CaptionerError, naming `where`,
    for what is no text or cannot be scored."""
    if text is None:
        return ""
    if not isinstance(text, str):
        kind = "a list" if isinstance(text, list) else "a number"
        raise CaptionerError(f"{where}: its caption is {kind}, not a text")
    if len(text) > LONGEST:
        raise CaptionerError(
            f"{where}: its caption has {len(text):,} characters, and more than {LONGEST:,} "
            "take too long to score; is it a caption?"
        )
    if HALF.search(text):
        raise CaptionerError(f"{where}: its caption holds half a character (a lone surrogate)")
    return text.strip()
