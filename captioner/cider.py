"""CIDEr-D, for rewards and for consensus: Vedantam et al. 2015
(https://arxiv.org/abs/1411.5726), on words or their ids.

The same numbers as pycocoevalcap's scorer, with document frequencies that stay and references
that are prepared once. `benchmarks/reward_speed.py` says how quick it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Similarities = npt.NDArray[np.float64]
Words = Sequence[int] | Sequence[str]
Gram = tuple[int | str, ...]
LONGEST = 4
SIGMA = 6.0


@dataclass(frozen=True)
class Vector:
    """TF-IDF weights of a sentence's n-grams with the norm of each order n = 1…4."""

    weights: dict[Gram, float]
    norms: tuple[float, ...]
    length: int


def ngrams(words: Words) -> Counter[Gram]:
    """How often each n-gram, n = 1…4, occurs in a sentence."""
    ids: Gram = tuple(words)
    return Counter(ids[i : i + n] for n in range(1, LONGEST + 1) for i in range(len(ids) - n + 1))


def vector(words: Words, rarity: Callable[[Gram], float]) -> Vector:
    """A sentence's vector; `rarity` is an n-gram's inverse document frequency, a logarithm."""
    weights, squares = {}, [0.0] * LONGEST
    for gram, count in ngrams(words).items():
        weight = count * rarity(gram)
        weights[gram] = weight
        squares[len(gram) - 1] += weight * weight
    return Vector(weights, tuple(map(math.sqrt, squares)), len(words))


def cosine(one: Vector, other: Vector, clip: bool = True) -> float:
    """The mean over n = 1…4 of the n-gram vectors' cosines, 0…1; `clip`: no weight of `one` counts
    for more than that of `other`."""
    products = [0.0] * LONGEST
    for gram, weight in one.weights.items():
        there = other.weights.get(gram)
        if there is not None:
            products[len(gram) - 1] += (min(weight, there) if clip else weight) * there
    cosines = (
        product / (a * b)
        for product, a, b in zip(products, one.norms, other.norms, strict=True)
        if a and b
    )
    return sum(cosines) / LONGEST


def similarity(candidate: Vector, reference: Vector) -> float:
    """CIDEr-D of one sentence against one reference, 0…10."""
    difference = candidate.length - reference.length
    return 10 * cosine(candidate, reference) * math.exp(-(difference**2) / (2 * SIGMA**2))


def pairwise(sentences: Sequence[Sequence[int]], rarity: npt.NDArray[np.float64]) -> Similarities:
    """CIDEr-D (K, K) of each of K sentences of ids, against each as its reference.

    `similarity` of all pairs at once, for the few sentences of a beam; `rarity` (V,) is a word's,
    and an n-gram is as rare as its rarest word.
    """
    lengths = np.array([len(words) for words in sentences])
    count, longest = len(lengths), int(lengths.max(initial=0))
    words = np.zeros((count, longest), np.int64)
    for row, sentence in zip(words, sentences, strict=True):
        row[: len(sentence)] = sentence
    grams, rare = words, rarity[words]
    cosines = np.zeros((count, count))
    for n in range(1, min(LONGEST, longest) + 1):
        if n > 1:  # the grams of one order as numbers from 0, and a word more
            _, grams = np.unique(grams[:, :-1], return_inverse=True)
            grams = grams.reshape(count, -1) * len(rarity) + words[:, n - 1 :]
            rare = np.maximum(rare[:, :-1], rarity[words[:, n - 1 :]])
        row, place = np.nonzero(np.arange(longest - n + 1) <= (lengths - n)[:, None])
        kinds, which = np.unique(grams[row, place], return_inverse=True)
        weights = np.zeros((count, len(kinds)))
        np.add.at(weights, (row, which), rare[row, place])
        norms = np.sqrt((weights**2).sum(1))
        products = (np.minimum(weights[:, None], weights) * weights).sum(2)
        both = norms[:, None] * norms
        cosines += np.divide(products, both, out=np.zeros_like(both), where=both > 0)
    difference = lengths[:, None] - lengths
    return 10 * cosines / LONGEST * np.exp(-(difference**2) / (2 * SIGMA**2))


class CiderReward:
    """Scores sentences against references, with document frequencies from `corpus`."""

    def __init__(self, corpus: Iterable[Iterable[Words]]) -> None:
        """`corpus` holds the references of each of its photos."""
        self.frequency: Counter[Gram] = Counter()
        photos = 0
        for references in corpus:
            photos += 1
            self.frequency.update({gram for words in references for gram in ngrams(words)})
        self.log_photos = math.log(photos)

    def vector(self, words: Words) -> Vector:
        return vector(words, lambda gram: self.log_photos - math.log(max(1, self.frequency[gram])))

    def score(self, words: Words, references: Sequence[Vector]) -> float:
        """CIDEr-D of a sentence: the mean over its references, as pycocoevalcap gives it."""
        candidate = self.vector(words)
        return sum(similarity(candidate, ref) for ref in references) / len(references)
