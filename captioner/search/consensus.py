"""Consensus: of the sentences a beam found, the one that most agrees with the others.

Minimum Bayes risk with CIDEr as the gain, as Devlin et al. 2015 (https://arxiv.org/abs/1505.04467)
choose among captions of similar photos. The likeliest sentence is often one that few of the
others resemble.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from captioner.cider import pairwise

SHARPNESS = 0.25  # a sentence's say is its probability to this power; chosen on val
TELLING = 1.0  # rarity above which a word says what is seen: "bed", "two", not "with", "a"


class Sentence(Protocol):
    """Word ids, and the log-probability of the whole sentence in nats."""

    @property
    def words(self) -> Sequence[int]: ...
    @property
    def log_probability(self) -> float: ...


Rarity = Sequence[float] | npt.NDArray[np.float64]
Found = TypeVar("Found", bound=Sentence)


def by_consensus(
    found: Sequence[Found], rarity: Rarity, agreed: Sequence[float] | None = None
) -> list[Found]:
    """One photo's sentences again, the one that agrees most with the others first; those that
    name something twice ("a bed with a bed") come after them, the more often the later.

    `rarity` (V,) is the logarithm of how many photos there are to one whose captions hold the
    word; an n-gram counts as rare as its rarest word. `agreed` is their `agreement`, if known.
    """
    if len(found) < 3:
        return list(found)
    agreed = agreement(found, rarity) if agreed is None else agreed
    again = [_named_again(sentence.words, rarity) for sentence in found]
    return [found[i] for i in sorted(range(len(found)), key=lambda i: (again[i], -agreed[i]))]


def agreement(found: Sequence[Sentence], rarity: Rarity) -> list[float]:
    """How far each sentence agrees with all of them, itself among them: the mean of their CIDEr-D
    (0…10), weighed by their say."""

    best = max((sentence.log_probability for sentence in found), default=0.0)
    say = np.array([math.exp(SHARPNESS * (one.log_probability - best)) for one in found])
    alike = pairwise([sentence.words for sentence in found], np.asarray(rarity, np.float64))
    agreed: list[float] = (alike @ say / say.sum()).tolist()
    return agreed


def _named_again(words: Sequence[int], rarity: Rarity) -> int:
    telling = [word for word in words if rarity[word] > TELLING]
    return len(telling) - len(set(telling))
