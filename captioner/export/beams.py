"""Greedy and beam search in numpy: what `captioner.search` finds, for exported graphs.

A photos are searched at once with K beams each; one beam is greedy search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

NEVER = float("-inf")
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Search:
    """How sentences are searched for; words are ids.

    The `n_best` come back, ranked by log-probability / n**length_penalty, n counting the words and
    the `end`. They hold no `forbidden` word, do not end on one of `not_last`, and repeat no
    sequence of `no_repeat` words (0: may repeat).
    """

    end: int
    forbidden: tuple[int, ...]
    not_last: tuple[int, ...]
    no_repeat: int
    beam: int
    n_best: int
    length_penalty: float
    max_words: int
    min_words: int


@dataclass(frozen=True, eq=False)
class Sentence:
    """T words without their start and end; log-probabilities in nats, that of the whole sentence
    with its end; `attention` (T, L)."""

    words: tuple[int, ...]
    log_probability: float
    word_log_probabilities: tuple[float, ...]
    attention: Array


@dataclass(frozen=True)
class State:
    """What the decoder remembers: of each photo (A, …), and of each of its beams (A, K, …)."""

    photos: dict[str, Array]
    beams: dict[str, Array]

    def select(self, photos: Array, beams: Array) -> State:
        """Go on with `photos` (A',) of the A, and of each with the beams (A', K)."""
        return State(
            {name: part[photos] for name, part in self.photos.items()},
            {name: part[photos[:, None], beams] for name, part in self.beams.items()},
        )


Step = Callable[[Array, State], tuple[Array, Array, State]]
"""Words (A, K) → log-probabilities (A, K, V), attention (A, K, L), the state after the words."""


def beam_search(step: Step, state: State, start: Array, search: Search) -> list[list[Sentence]]:
    """Return for each photo its best sentences, best first, at most `search.n_best`.

    `start` (A,) is the first word fed, `state` has one beam a photo. A photo's list is shorter,
    even empty, where the beams met fewer sentences that obey the rules.
    """
    width = search.beam
    finished: list[list[tuple[float, Sentence]]] = [[] for _ in start]
    photo, words = np.arange(len(start)), start[:, None]
    total = np.full((len(start), width), NEVER, np.float32)  # log-probability so far
    total[:, 0] = 0.0
    for length in range(search.max_words + 1 if len(start) else 0):
        log_probs, attention, state = step(words, state)
        if length == 0:  # one beam a photo; K from here on
            log_probs, attention = (np.repeat(x, width, 1) for x in (log_probs, attention))
            written = _Written.none(*attention.shape)
        scores = total[..., None] + allow(log_probs, written.words, search)
        score, beam, word = _best(scores, 2 * width)
        _harvest(finished, photo, written, score, beam, word, search)
        if length == search.max_words:
            break

        order = (word == search.end).argsort(1, kind="stable")[:, :width]  # who goes on
        total, beam, word = (np.take_along_axis(x, order, 1) for x in (score, beam, word))
        stay = np.flatnonzero(~_done(total, [finished[p] for p in photo], length, search))
        if not len(stay):
            break
        total, beam, word, photo = total[stay], beam[stay], word[stay], photo[stay]
        written = written.extend(stay, beam, word, log_probs, attention)
        state = state.select(stay, beam if length else np.zeros_like(beam))
        words = word
    return [_unique(sentences) for sentences in finished]


@dataclass(frozen=True)
class _Written:
    """The sentences of the live beams so far: their words, and what came with each."""

    words: Array  # (A, K, t)
    log_probs: Array  # (A, K, t)
    attention: Array  # (A, K, t, L)

    @staticmethod
    def none(photos: int, beams: int, regions: int) -> _Written:
        shape = (photos, beams, 0)
        return _Written(
            np.zeros(shape, np.int64),
            np.zeros(shape, np.float32),
            np.zeros((*shape, regions), np.float32),
        )

    def extend(
        self, photos: Array, beams: Array, word: Array, log_probs: Array, attention: Array
    ) -> _Written:
        """The `beams` (A', K) of `photos` (A',), each with one more word (A', K)."""
        rows = photos[:, None], beams
        return _Written(
            np.concatenate((self.words[rows], word[..., None]), 2),
            np.concatenate((self.log_probs[rows], log_probs[(*rows, word)][..., None]), 2),
            np.concatenate((self.attention[rows], attention[rows][:, :, None]), 2),
        )

    def sentence(self, photo: int, beam: int, log_probability: float) -> Sentence:
        return Sentence(
            tuple(self.words[photo, beam].tolist()),
            log_probability,
            tuple(self.log_probs[photo, beam].tolist()),
            self.attention[photo, beam],
        )


def allow(log_probs: Array, words: Array, search: Search) -> Array:
    """Log-probabilities (A, K, V) with -inf for what may not follow `words` (A, K, t)."""
    length, end = words.shape[2], search.end
    if length == search.max_words:
        allowed = np.full_like(log_probs, NEVER)
        allowed[..., end] = log_probs[..., end]
    else:
        allowed = log_probs.copy()
        allowed[..., list(search.forbidden)] = NEVER
        if length == search.max_words - 1:
            allowed[..., list(search.not_last)] = NEVER
        if 0 < search.no_repeat <= length:
            _block_repeats(allowed, words, search.no_repeat)
    if length < search.min_words:
        allowed[..., end] = NEVER
    elif length:
        allowed[..., end][np.isin(words[..., -1], search.not_last)] = NEVER
    return allowed


def _block_repeats(log_probs: Array, words: Array, n: int) -> None:
    grams = np.lib.stride_tricks.sliding_window_view(words, n, axis=2)  # (A, K, t - n + 1, n)
    tail = words[..., words.shape[2] - n + 1 :]
    photo, beam, place = np.nonzero((grams[..., :-1] == tail[:, :, None]).all(-1))
    log_probs[photo, beam, grams[photo, beam, place, -1]] = NEVER


def _best(scores: Array, count: int) -> tuple[Array, Array, Array]:
    """The `count` best continuations (A, count) among scores (A, K, V): score, beam, word."""
    flat = scores.reshape(len(scores), -1)
    found = np.argpartition(flat, -count, axis=1)[:, -count:]
    order = np.take_along_axis(flat, found, 1).argsort(1)[:, ::-1]
    found = np.take_along_axis(found, order, 1)
    beam, word = np.divmod(found, scores.shape[2])
    return np.take_along_axis(flat, found, 1), beam, word


def _harvest(
    finished: list[list[tuple[float, Sentence]]],
    photo: Array,
    written: _Written,
    score: Array,
    beam: Array,
    word: Array,
    search: Search,
) -> None:
    """Keep the sentences that end among the K best continuations of their photo."""
    rank = score / (written.words.shape[2] + 1) ** search.length_penalty
    ends = (word == search.end) & (score > NEVER)
    for a, i in zip(*np.nonzero(ends[:, : search.beam]), strict=True):
        kept = finished[photo[a]]
        sentence = written.sentence(a, beam[a, i], float(score[a, i]))
        kept.append((float(rank[a, i]), sentence))
        kept.sort(key=lambda entry: -entry[0])
        del kept[search.n_best :]


def _done(
    total: Array, finished: list[list[tuple[float, Sentence]]], length: int, search: Search
) -> Array:
    """Which of A photos (A,) no live beam can serve any more, were it to end now for free.

    Greedy search is done at its first end.
    """
    full = [len(kept) == search.n_best for kept in finished]
    worst = [kept[-1][0] if all_ else NEVER for kept, all_ in zip(finished, full, strict=True)]
    rank = total.max(1) / (length + 2) ** search.length_penalty
    done = rank <= np.array(worst, np.float32)
    return done | np.array(full) if search.beam == 1 else done


def _unique(ranked: list[tuple[float, Sentence]]) -> list[Sentence]:
    found: dict[tuple[int, ...], Sentence] = {}
    for _, sentence in ranked:
        found.setdefault(sentence.words, sentence)
    return list(found.values())
