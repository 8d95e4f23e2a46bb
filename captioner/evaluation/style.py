"""How it says it: variety, novelty, length and endings of the captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from captioner.datasets.captions import PhotoId

# Words that no finished sentence ends with.
_UNFINISHED = (
    "a an the this that these those his her its their my your and or but nor as if than because "
    "while of in on at to for from with into onto beside between is are was were be being has have "
    "very some next"
)


def style_figures(
    captions: Mapping[PhotoId, str], known: frozenset[str] | None = None
) -> dict[str, Any]:
    """Figures of tokenized captions; `known` are the tokenized training captions, if given.

    Shares are of all captions; `lengths` counts captions by their number of words.
    """
    texts = list(captions.values())
    words = [text.split() for text in texts]
    lengths = Counter(map(len, words))
    unfinished = [key for key, text in captions.items() if bad_ending(text)]
    return {
        "captions": len(texts),
        "distinct": len(set(texts)) / len(texts),
        "novel": None if known is None else sum(text not in known for text in texts) / len(texts),
        "vocabulary": len({word for sentence in words for word in sentence}),
        "distinct_bigrams": len({pair for sentence in words for pair in pairwise(sentence)}),
        "mean_length": float(np.mean([len(sentence) for sentence in words])),
        "lengths": {str(length): lengths[length] for length in sorted(lengths)},
        "bad_endings": len(unfinished) / len(texts),
        "bad_endings_in": unfinished[:20],
        "repeated": sum(map(repeats, texts)) / len(texts),
        "most_common": dict(Counter(texts).most_common(10)),
    }


def bad_ending(text: str) -> bool:
    """Whether a tokenized caption breaks off: "a man on a"."""
    return not text or text.split()[-1] in _UNFINISHED.split()


def repeats(text: str) -> bool:
    """Whether a word or a phrase of a tokenized caption stands twice running: "in the in the"."""
    words = text.split()
    return any(
        words[i : i + n] == words[i + n : i + 2 * n]
        for n in range(1, len(words) // 2 + 1)
        for i in range(len(words) - 2 * n + 1)
    )
