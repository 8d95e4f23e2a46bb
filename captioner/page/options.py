"""What a visitor may ask of the search: options.py's rules, within limits for strangers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from captioner.errors import CaptionerError
from captioner.options import Options
from captioner.vocabulary import tokenize

LIMITS = {
    "beam": 20,
    "length_penalty": 2,
    "max_words": 40,
    "min_words": 20,
    "alternatives": 9,
    "groups": 5,
    "temperature": 5,
    "top_k": 1000,
    "choices": 5,
}
"""The most of a number that the page takes, where `Options` would take more."""
WORDS = {"prefix": 40, "include": 3, "avoid": 50}  # each to include adds a lane of beams
_NAMES = frozenset(each.name for each in fields(Options))


def read_options(request: dict[str, Any] | None) -> tuple[Options, bool]:
    """The options in a request, and whether a preview is wanted: the photo sent back as a JPEG, for
    a browser that cannot show it.

    Raises CaptionerError, naming the first option that is unknown or outside its limits.
    """
    if request is not None and not isinstance(request, dict):
        raise CaptionerError('The options must be an object such as {"beam": 5}.')
    given = dict(request or {})
    preview = given.pop("preview", False) is True
    for name in given:
        if name not in _NAMES:
            raise CaptionerError(f"There is no option {name[:40]!r}; see docs/api.md for all.")
    for name, most in LIMITS.items():
        if isinstance(value := given.get(name), int | float) and value > most:
            raise CaptionerError(f"{name} must be at most {most} on this page, not {value:,}.")
    options = Options(**given)
    for name, most in WORDS.items():
        texts = getattr(options, name)
        if len(tokenize(" ".join([texts] if isinstance(texts, str) else texts))) > most:
            raise CaptionerError(f"{name} must hold at most {most} words on this page.")
    return options, preview
