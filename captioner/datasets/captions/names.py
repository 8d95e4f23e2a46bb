"""How photos are named: by numbers and by paths, which seldom are written twice in the same way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Generic, TypeVar

from captioner.errors import shown

PhotoId = int | str
T = TypeVar("T")

_LONGEST = 300  # characters of a name in a message
# COCO pads to twelve digits.
_NUMBER = re.compile(r"(0|[1-9][0-9]{0,17}|0[0-9]{11})(\.0)?", re.ASCII)
_PADDED = re.compile(r"(?:^|[^0-9])([0-9]{12})$", re.ASCII)


def photo_id(value: object) -> PhotoId | None:
    """The id that a file means: 1, 1.0, "1", "1.0" and "000000000001"
    are one; None if it can be no id."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1 << 53 else None
    if isinstance(value, str) and (text := value.strip()):
        number = _NUMBER.fullmatch(text)
        return int(number[1]) if number else text
    return None


def composed(name: str) -> str:
    """The name with its accents composed (NFC): macOS keeps the files' names decomposed."""
    return unicodedata.normalize("NFC", name)


class Names(Generic[T]):
    """Things that are found by the path of a photo.

    The same path is looked for first, then the same name without folders, without suffix, COCO's
    number, and each of these whatever the case. A name that fits several things finds none. It
    does not matter whether accents are composed (NFC) or not (NFD).
    """

    def __init__(self) -> None:
        self._tiers: list[dict[str, list[T]]] = []

    def add(self, path: str, thing: T) -> None:
        """Let `thing` be found by `path`; the first of a path stays."""
        forms = list(_forms(path))
        self._tiers = self._tiers or [{} for _ in forms]
        if forms[0] not in self._tiers[0]:
            for tier, form in zip(self._tiers, forms, strict=True):
                tier.setdefault(form, []).append(thing)

    def find(self, path: str) -> T | None:
        """What has that name; None if nothing has, or several things have."""
        for tier, form in zip(self._tiers, _forms(path), strict=False):
            if found := tier.get(form):
                return found[0] if len(found) == 1 else None
        return None


def _forms(path: str) -> Iterator[str]:
    whole = PurePosixPath(composed(path).replace("\\", "/"))
    for name in (whole, PurePosixPath(str(whole).casefold())):
        yield from (str(name), name.name, name.stem, _number(name.stem))


def _number(stem: str) -> str:
    """COCO's number in a name such as COCO_val2014_000000000042, else the name itself."""
    padded = _PADDED.search(stem)
    return str(int(padded[1])) if padded else stem


def brief(name: object) -> str:
    """A name as a message can hold it: of a very long one the beginning and the end."""
    text = str(name)
    half = _LONGEST // 2
    return shown(text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}")


def first_few(names: Iterable[object], count: int = 5) -> str:
    """The first names of many, as a message shows them: "a, b, c and 7 more"."""
    listed = [brief(name) for name in names]
    more = len(listed) - count
    return ", ".join(listed[:count]) + (f" and {more} more" if more > 0 else "")
