"""Text as people save it: a byte-order mark says which encoding it is in; what JSON it is."""

from __future__ import annotations

import codecs
import json
from typing import Any

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(start: bytes) -> str:
    """The encoding of a file that starts with these bytes (four are enough): UTF-8, if unmarked.

    Decoding with it takes the mark away.
    """
    return next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")


def parsed(text: str | bytes) -> Any:
    """The JSON value; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
