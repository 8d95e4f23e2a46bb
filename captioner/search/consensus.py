"""Which of a beam's sentences is told: the likeliest is often one that says little, or that few of
the others resemble.

Three things speak for a sentence: its probability; that it agrees with the others (minimum Bayes
risk with CIDEr as the gain, as Devlin et al. 2015, https://arxiv.org/abs/1505.04467, choose among
captions of similar photos); and that the attribute head, which looked at the photo without a
sentence in mind, expects its words (as Fang et al. 2015, https://arxiv.org/abs/1411.4952, rank
sentences again by what detectors and the whole picture say).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from captioner.cider import pairwise
from captioner.search.types import Hypothesis
from captioner.search.worn import Worn, cost

SHARPNESS = 0.25  # a sentence's say is its probability to this power
TELLING = 1.0  # rarity above which a word says what is seen: "bed", "two", not "with", "a"
# Chosen on val, like the sharpness:
LENGTH = 0.7  # the likelihood is a mean over the words to this power of their number
AGREEMENT, TOLD, DOUBTED = 0.15, 1.5, 1.0  # weights
WORN = 2.0  # what a nat of a worn phrase costs
UNEXPECTED = 0.02  # what is added to the probability of a word, so that none is impossible


Rarity = Sequence[float] | npt.NDArray[np.float64]


def by_consensus(
    found: Sequence[Hypothesis],
    rarity: Rarity,
    agreed: Sequence[float] | None = None,
    shown: Mapping[int, float] | None = None,
    attributes: frozenset[int] = frozenset(),
    worn: Worn = (),
    same: Mapping[int, int] | None = None,
) -> list[Hypothesis]:
    """One photo's sentences again, the best first; those that name something twice ("a bed with a
    bed", "two women and a woman") come after them, the more often the later, and one without words
    last.

    `rarity` (V,) is the logarithm of how many photos there are to one whose captions hold the
    word; an n-gram counts as rare as its rarest word. `agreed` is their `agreement`, if known.
    `shown` are the likeliest of the attribute words, of which all are in `attributes`, with their
    probabilities; without any a sentence agrees or does not. `worn` phrases cost here too.
    `same` holds words that name what another does, such as plurals, and that other.
    """
    if len(found) < 3:
        return list(found)
    agreed = agreement(found, rarity) if agreed is None else agreed
    score = list(agreed)
    if shown:
        borne = [support(sentence, rarity, shown, attributes) for sentence in found]
        score = [
            sentence.log_probability / (len(sentence.words) + 1) ** LENGTH
            + AGREEMENT * own
            + TOLD * told
            + DOUBTED * doubted
            for sentence, own, (told, doubted) in zip(found, agreed, borne, strict=True)
        ]
    score = [own - WORN * cost(one.words, worn) for own, one in zip(score, found, strict=True)]
    again = [_named_again(sentence.words, rarity, same or {}) for sentence in found]

    def place(i: int) -> tuple[bool, int, float]:
        return not found[i].words, again[i], -score[i]

    return [found[i] for i in sorted(range(len(found)), key=place)]


def agreement(found: Sequence[Hypothesis], rarity: Rarity) -> list[float]:
    """How far each sentence agrees with all of them, itself among them: the mean of their CIDEr-D
    (0…10), weighed by their say."""

    best = max((sentence.log_probability for sentence in found), default=0.0)
    say = np.array([math.exp(SHARPNESS * (one.log_probability - best)) for one in found])
    alike = pairwise([sentence.words for sentence in found], np.asarray(rarity, np.float64))
    agreed: list[float] = (alike @ say / say.sum()).tolist()
    return agreed


def support(
    sentence: Hypothesis,
    rarity: Rarity,
    shown: Mapping[int, float],
    attributes: frozenset[int],
) -> tuple[float, float]:
    """How far the attribute head bears a sentence's words out.

    The first counts what it tells for certain by its rarity, a sum; the second, at most 0, what
    the head doubts, a mean in nats, so that long sentences do not lose by it. A sentence of none of
    its words says nothing, and is doubted as a word that it does not expect.
    """
    named = attributes.intersection(sentence.words)
    if not named:
        return 0.0, math.log(UNEXPECTED)
    told = sum(shown.get(word, 0.0) * rarity[word] for word in named)
    doubts = sum(math.log(shown.get(word, 0.0) + UNEXPECTED) for word in named)
    return told, doubts / len(named)


def _named_again(words: Sequence[int], rarity: Rarity, same: Mapping[int, int]) -> int:
    telling = [same.get(word, word) for word in words if rarity[word] > TELLING]
    return len(telling) - len(set(telling))
