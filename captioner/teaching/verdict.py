"""Is the taught model better? What it writes about held-out photos, before and after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from captioner.cider import CiderReward
from captioner.evaluation.bootstrap import Difference, compare, interval, sampled_means
from captioner.teaching.pairs import Pair
from captioner.vocabulary import tokenize_whole

Array = npt.NDArray[np.float64]


def spoken(sentence: str) -> list[str]:
    """The words that CIDEr counts, letters of every language among them."""
    return [token.lower() for token in tokenize_whole(sentence) if token != ","]


class Cider:
    """CIDEr-D of sentences about held-out photos; document frequencies from all captions."""

    def __init__(self, told: Sequence[Sequence[str]], held: Sequence[Sequence[str]]) -> None:
        """`told` and `held` are the captions of each photo that is learnt from or held out."""
        words = [[spoken(caption) for caption in captions] for captions in [*told, *held]]
        self.reward = CiderReward(words)
        self.references = [[self.reward.vector(w) for w in photo] for photo in words[len(told) :]]

    def scores(self, sentences: Sequence[str]) -> Array:
        """Each held-out photo's (N)."""
        pairs = zip(sentences, self.references, strict=True)
        return np.array([self.reward.score(spoken(one), references) for one, references in pairs])


@dataclass(frozen=True)
class VerdictRow:
    """A held-out photo with what was written about it, and what the model writes."""

    pair: Pair
    before: str
    after: str


@dataclass(frozen=True)
class Verdict:
    """Held-out CIDEr-D before and after, with the bounds of 95 % of the bootstrap's samples.

    `names` are the shares of the new words in the captions that are said: CIDEr passes over what
    every caption holds. `apart` is whether other photos than these chose the weights.
    """

    before: float
    after: float
    before_bounds: tuple[float, float]
    after_bounds: tuple[float, float]
    difference: Difference
    rows: tuple[VerdictRow, ...]
    names: tuple[float, float] | None
    apart: bool

    @property
    def better(self) -> bool:
        """Whether other photos, too, would have shown a gain."""
        return self.difference.low > 0

    def sentence(self) -> str:
        """What it comes to."""
        found, photos = self.difference, len(self.rows)
        figures = f"CIDEr {self.before:.2f} → {self.after:.2f} on {photos} held-out photos"
        if self.better:
            said = f"better: {figures} ({found.low:.2f} to {found.high:.2f} more)"
            return (
                said if self.apart else f"{said}; they chose the weights too, others may show less"
            )
        if found.high < 0:
            return f"worse than before: {figures}; keep the old one"
        if found.difference > 0:
            return f"perhaps better, but {photos} photos do not show it for certain: {figures}"
        return f"no better than before: {figures}; keep the old one"

    def table(self) -> list[str]:
        """The figures, a line each."""
        rows = (
            ("before", self.before, self.before_bounds),
            ("after", self.after, self.after_bounds),
        )
        lines = [f"{'':8}{'CIDEr':>7}   95 % of such sets of photos"]
        lines += [
            f"{name:8}{score:7.2f}   {low:.2f} to {high:.2f}" for name, score, (low, high) in rows
        ]
        if self.names is not None:
            old, now = self.names
            lines.append(
                f"new words of your captions that it says: {old:.0%} before, {now:.0%} after"
            )
        return lines


def judge(
    pairs: Sequence[Pair],
    before: Sequence[str],
    after: Sequence[str],
    cider: Cider,
    new_words: Collection[str],
    apart: bool,
) -> Verdict:
    """Compare what was written about N held-out photos before and after; `apart` is as in
    Verdict."""
    captions = [pair.captions for pair in pairs]
    was, now = (said_of(new_words, captions, each) for each in (before, after))
    old, new = cider.scores(before), cider.scores(after)
    old_samples, new_samples = sampled_means(old), sampled_means(new)
    return Verdict(
        float(old.mean()),
        float(new.mean()),
        interval(old_samples),
        interval(new_samples),
        compare(float(new.mean()), float(old.mean()), new_samples, old_samples),
        tuple(map(VerdictRow, pairs, before, after)),
        None if was is None or now is None else (was, now),
        apart,
    )


def said_of(
    new: Collection[str], captions: Sequence[Sequence[str]], sentences: Sequence[str]
) -> float | None:
    """The share of the new words in the captions of each photo that its sentence says; None where
    they hold none."""
    names = {word.lower() for word in new}
    wanted = [names & {word for c in several for word in spoken(c)} for several in captions]
    total = sum(map(len, wanted))
    said = sum(len(w & set(spoken(one))) for w, one in zip(wanted, sentences, strict=True))
    return said / total if total else None
