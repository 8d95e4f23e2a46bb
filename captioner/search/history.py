"""What a beam search did, step by step, and the sentences rebuilt from it at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from captioner.search.arrays import (
    NEVER,
    Array,
    arange,
    concat,
    copy,
    full,
    nonzero,
    order,
    take,
    to_numpy,
    topk,
    zeros,
)
from captioner.search.types import Hypothesis


@dataclass(frozen=True)
class BeamStep:
    """One step over A live photos with R rows each; nothing in it is ever moved again."""

    place: Array  # (B,) int64: where a photo lies among the live ones, -1 when it has left
    parent: Array  # (A, R) int64: the row that each new row continues
    word: Array  # (A, R) int64
    log_prob: Array  # (A, R): of that word
    attention: Array  # (A, R, L): of the old rows
    choices: tuple[Array, Array] | None = None  # (A, R, k) log-probabilities, ids: the same


class Finished:
    """The best k finished sentences in each of the P pools of B photos; ranks fall along k."""

    def __init__(self, photos: int, pools: int, kept: int, like: Array) -> None:
        """Start with none: a rank of -inf marks an empty place."""
        self.rank = full((photos, pools, kept), NEVER, like)
        self.log_prob = copy(self.rank)
        self.row = zeros((photos, pools, kept), like)
        self.length = copy(self.row)

    def add(self, photo: Array, rank: Array, log_prob: Array, row: Array, length: int) -> None:
        """Offer sentences of `length` words that ended in `row`; all (A, …) for photo (A,)."""
        shape = (len(photo), self.rank.shape[1], -1)
        ranks = concat((self.rank[photo], rank.reshape(shape)), 2)
        self.rank[photo], index = topk(ranks, self.rank.shape[2])
        lengths = full(row.shape, length, row)
        for kept, new in ((self.log_prob, log_prob), (self.row, row), (self.length, lengths)):
            kept[photo] = take(concat((kept[photo], new.reshape(shape)), 2), index)

    def ranked(self) -> tuple[Array, Array, Array, Array]:
        """Return photo, log-probability, row and length of the H sentences, each (H,).

        Photo by photo, best first.
        """
        flat = self.rank.reshape(len(self.rank), -1)
        best = order(flat, descending=True)
        photo, place = nonzero(take(flat, best) > NEVER)
        index = (photo, best[photo, place])
        kept = (self.log_prob, self.row, self.length)
        log_prob, row, length = (part.reshape(len(flat), -1)[index] for part in kept)
        return photo, log_prob, row, length


def rebuild(
    history: list[BeamStep],
    photo: Array,
    row: Array,
    length: Array,
    log_prob: Array,
    regions: int,
) -> list[Hypothesis]:
    """Follow H sentences back from their last words.

    Sentence h is about photo[h], has length[h] words and ended in row[h]; all are (H,).
    `log_prob` (H,) is that of the whole sentence with its end.
    """
    count, steps = len(length), int(length.max()) if len(length) else 0
    words = zeros((count, steps), length)
    scores = full((count, steps), 0.0, length)
    attention = full((count, steps, regions), 0.0, length)
    choices = _room(history, count, steps)
    row = copy(row)
    for t in reversed(range(steps)):
        h = arange(count, length)[length > t]
        step = history[t]
        place = step.place[photo[h]]
        words[h, t] = step.word[place, row[h]]
        scores[h, t] = step.log_prob[place, row[h]]
        row[h] = step.parent[place, row[h]]
        attention[h, t] = step.attention[place, row[h]]
        for all_, here in zip(choices, step.choices or (), strict=True):
            all_[h, t] = here[place, row[h]]
    return unpack(words, scores, attention, length, log_prob, choices)


def _room(history: Sequence[BeamStep], count: int, steps: int) -> tuple[Array, ...]:
    if not history or history[0].choices is None:
        return ()
    scores, ids = history[0].choices
    shape = (count, steps, ids.shape[-1])
    return full(shape, 0.0, scores), zeros(shape, ids)


def unpack(
    words: Array,
    scores: Array,
    attention: Array,
    length: Array,
    log_prob: Array,
    choices: Sequence[Array] = (),
) -> list[Hypothesis]:
    """Turn (H, T), (H, T), (H, T, L), (H,) and (H,) into H hypotheses of numpy and numbers.

    `choices` is empty or two arrays (H, T, k), log-probabilities and ids.
    """
    attention = to_numpy(attention)
    found: list[Hypothesis] = []
    columns = (words.tolist(), scores.tolist(), length.tolist(), log_prob.tolist())
    for h, (w, s, n, p) in enumerate(zip(*columns, strict=True)):
        told = tuple(_pairs(*(part[h, t] for part in choices)) for t in range(n) if choices)
        found.append(Hypothesis(tuple(w[:n]), p, tuple(s[:n]), attention[h, :n], told))
    return found


def _pairs(scores: Array, ids: Array) -> tuple[tuple[int, float], ...]:
    return tuple(zip(ids.tolist(), scores.tolist(), strict=True))
