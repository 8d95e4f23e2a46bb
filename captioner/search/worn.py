"""Worn phrases: what a model takes up far oftener than people do, as it is the likeliest thing to
say of many photos, and what each costs a sentence.

A phrase costs its nats where its last word completes it, after a prefix that was asked for: a
penalty of n-grams beside those of length and repetition. It steers which sentences are found and
which is told; the log-probabilities that come back are without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captioner.search.arrays import Array, as_array

Worn = tuple[tuple[tuple[int, ...], float], ...]
"""Phrases, as ids, each with its nats."""


@dataclass(frozen=True)
class PhraseCosts:
    """Worn phrases where the search computes: the words before the last, the last, the nats."""

    phrases: tuple[tuple[Array, int, float], ...]

    @classmethod
    def of(cls, worn: Worn, like: Array) -> PhraseCosts:
        return cls(tuple((as_array(p[:-1], like), p[-1], nats) for p, nats in worn))

    def charge(self, log_probs: Array, sentence: Array) -> None:
        """Take from log_probs (N, V) the nats of each phrase that a word would complete after
        `sentence` (N, t)."""
        length = sentence.shape[1]
        for before, last, nats in self.phrases:
            if len(before) <= length:
                rows = (sentence[:, length - len(before) :] == before).all(1)
                log_probs[:, last] -= nats * rows


def cost(words: Sequence[int], worn: Worn, first: int = 0) -> float:
    """The nats of all worn phrases of a sentence, less those that end before place `first`."""
    total = 0.0
    for phrase, nats in worn:
        if not all(word in words for word in phrase):  # quick, and nearly always so
            continue
        n = len(phrase)
        ends = range(max(n, first + 1), len(words) + 1)
        total += nats * sum(tuple(words[end - n : end]) == phrase for end in ends)
    return total
