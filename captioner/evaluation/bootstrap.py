"""How far the scores would move with other photos: the bootstrap over photos.

Efron 1979; paired for two systems as in Koehn 2004, "Statistical Significance Tests for Machine
Translation Evaluation".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from captioner.evaluation.cider import Array
from captioner.evaluation.java import Java
from captioner.evaluation.scorers import Scores, resample

SAMPLES = 1000
FEW = 20  # photos; of fewer the bootstrap's intervals hold the truth too seldom
_AT_ONCE = 100


@dataclass(frozen=True)
class Difference:
    """By how much one system scores above another on the same photos.

    `low` and `high` hold 95 % of the bootstrap's differences; `p` is two-sided: the chance to see
    such a difference, or one to the other side, from systems that are equally good.
    """

    difference: float
    low: float
    high: float
    p: float


def draw(photos: int, samples: int = SAMPLES, seed: int = 0) -> Iterator[Array]:
    """Draw with replacement: how often each photo is in each sample, (≤100, photos) at a time."""
    random = np.random.default_rng(seed)
    shares = np.full(photos, 1 / photos)
    for start in range(0, samples, _AT_ONCE):
        size = min(_AT_ONCE, samples - start)
        yield random.multinomial(photos, shares, size=size).astype(np.float64)


def sample_scores(
    scores: Scores, java: Java, samples: int = SAMPLES, seed: int = 0
) -> dict[str, Array]:
    """Each metric on every bootstrap sample (S). One seed draws the same photos every time."""
    photos = len(scores.tokens.references)
    parts = [resample(scores, weights, java) for weights in draw(photos, samples, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in scores.values}


def sampled_means(values: Array, samples: int = SAMPLES, seed: int = 0) -> Array:
    """The mean of values (N, …) of N photos on each bootstrap sample (S, …)."""
    photos = len(values)
    return np.concatenate([weights @ values / photos for weights in draw(photos, samples, seed)])


def interval(sampled: Array) -> tuple[float, float]:
    """The bounds that 95 % of the samples (S) lie between."""
    low, high = np.percentile(sampled, [2.5, 97.5])
    return float(low), float(high)


def caution(photos: int) -> list[str]:
    """One sentence where so few photos were drawn from that the bounds are not to be relied on."""
    if photos >= FEW:
        return []
    return [f"intervals and p-values of only {photos} photos are too narrow: take at least {FEW}"]


def compare(score: float, other: float, sampled: Array, other_sampled: Array) -> Difference:
    """The paired difference, from samples (S) of both systems that hold the same photos."""
    differences = sampled - other_sampled
    low, high = interval(differences)
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    p = min(1.0, (int(tail) + 1) * least_p(len(sampled)))
    return Difference(score - other, low, high, p)


def least_p(samples: int) -> float:
    """The smallest p-value that so many samples can show: a smaller one is only known to be so."""
    return 2 / (samples + 1)


def p_text(p: float, samples: int, below: bool = False) -> str:
    """A p-value as a table shows it: "0.034", or "< 0.002" where no sample contradicts.

    `below` says that of a corrected one, which is the number of tests times as great.
    """
    if below or p <= least_p(samples):
        return f"< {math.ceil(1000 * p) / 1000:.3f}"
    return f"{p:.3f}"


def ratio_interval(
    parts: Array, wholes: Array, samples: int = SAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """95 % bounds of sum(parts) / sum(wholes), both one a photo (N), over other photos."""
    if not wholes.sum():
        return None
    sums = [(weights @ parts, weights @ wholes) for weights in draw(len(parts), samples, seed)]
    above, below = (np.concatenate(column) for column in zip(*sums, strict=True))
    return interval(above[below > 0] / below[below > 0])
