"""Words put together to a sentence, without nltk."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What nltk's TreebankWordDetokenizer does, as far as the tokens of a caption can meet it: they are
# lower-case, hold a letter or a digit, and their only punctuation of its own is the comma.
_RULES = tuple(
    (re.compile(pattern), joined)
    for pattern, joined in (
        (r" ('t) (is|was)\b", r"\1\2"),
        (r"\b(can) (not)\b", r"\1\2"),
        (r"\b(d) ('ye)\b", r"\1\2"),
        (r"\b(gim|lem) (me)\b", r"\1\2"),
        (r"\b(gon) (na)\b", r"\1\2"),
        (r"\b(got) (ta)\b", r"\1\2"),
        (r"\b(more) ('n)\b", r"\1\2"),
        (r"\b(wan) (na)(?= )", r"\1\2"),
        (r"([^' ]) ('ll|'re|'ve|n't) ", r"\1\2 "),
        (r"([^' ]) ('[smd]) ", r"\1\2 "),
        (r" ,", ","),
    )
)


def detokenize(words: Sequence[str]) -> str:
    """A readable sentence: capital letter, full stop, no space before punctuation."""
    text = f" {' '.join(words)} "
    for pattern, joined in _RULES:
        text = pattern.sub(joined, text)
    text = text.strip()
    return text[:1].upper() + text[1:] + "." if text else ""
