"""A toy model whose every sentence can be enumerated, and slow searches to compare with.

The model is a small random recurrence: what may come next depends on the photo and on all words so
far. The reference searches walk it one sentence at a time, with lists and loops.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from captioner.search import SearchOptions

END, START, PAD = 0, 1, 2
REGIONS = 3


@dataclass(frozen=True)
class ToyState:
    """Hidden state (N, D) of the sentences and feature (B, D) of the photos, of either library."""

    hidden: Any
    photo: Any

    def select(self, rows: Any, photos: Any | None = None) -> ToyState:
        photo = self.photo if photos is None else self.photo[photos]
        return ToyState(self.hidden[rows], photo)


class Toy:
    """A random model of `vocabulary` words (0 ends, 1 starts, 2 fills up) about `photos` photos.

    It speaks `library` to the searches, numpy's arrays or torch's.
    """

    library = "torch"

    def __init__(
        self, seed: int, vocabulary: int = 6, photos: int = 1, sharpness: float = 2.0
    ) -> None:
        draw = torch.Generator().manual_seed(seed)
        size = 8

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=draw, dtype=torch.float64)

        self.vocabulary, self.photos = vocabulary, photos
        self.word, self.turn = normal(vocabulary, size), normal(size, size) / 2
        self.out, self.look = sharpness * normal(size, vocabulary) / 2, normal(size, REGIONS)
        self.feature = normal(photos, size)
        self.turn[0], self.out[0], self.look[0] = 0, 0, 0
        self.out[0, END] = 2.0  # hidden[:, 0] grows with every word, and with it the end's chance
        self._known: dict[tuple[int, tuple[int, ...]], tuple[list[float], ToyState, Tensor]] = {}
        self.batches: list[tuple[int, int]] = []  # rows and photos of every step

    def start(self, photos: list[int] | None = None) -> tuple[ToyState, Any]:
        feature = self.feature if photos is None else self.feature[photos]
        words = torch.full((len(feature),), START)
        if self.library == "numpy":
            return ToyState(feature.numpy(), feature.numpy()), words.numpy()
        return ToyState(feature, feature), words

    def step(self, words: Any, state: ToyState) -> tuple[Any, ToyState, Any]:
        rows, photos = len(words), len(state.photo)
        self.batches.append((rows, photos))
        assert len(state.hidden) == rows and rows % photos == 0
        if isinstance(words, np.ndarray):
            told = ToyState(torch.from_numpy(state.hidden), torch.from_numpy(state.photo))
            log_probs, after, attention = self._step(torch.from_numpy(words), told)
            kept = ToyState(after.hidden.numpy(), after.photo.numpy())
            return log_probs.numpy(), kept, attention.numpy()
        return self._step(words, state)

    def _step(self, words: Tensor, state: ToyState) -> tuple[Tensor, ToyState, Tensor]:
        photo = state.photo.repeat_interleave(len(words) // len(state.photo), 0)
        hidden = torch.tanh(self.word[words] + state.hidden @ self.turn + photo)
        hidden[:, 0] = state.hidden[:, 0] + 0.4
        log_probs = (hidden @ self.out).log_softmax(-1)
        return log_probs, ToyState(hidden, state.photo), (hidden @ self.look).softmax(-1)

    def follow(self, photo: int, words: tuple[int, ...]) -> tuple[list[list[float]], Tensor]:
        """Return what may come after each beginning of `words`, and their attention (T, L)."""
        steps = [self._after(photo, words[:t]) for t in range(len(words) + 1)]
        maps = [attention for _, _, attention in steps[:-1]]
        return [table for table, _, _ in steps], torch.stack(maps) if maps else torch.zeros(
            0, REGIONS
        )

    def _after(self, photo: int, words: tuple[int, ...]) -> tuple[list[float], ToyState, Tensor]:
        if (photo, words) not in self._known:
            feature = self.feature[[photo]]
            state, word = ToyState(feature, feature), torch.tensor([START])
            if words:
                state, word = self._after(photo, words[:-1])[1], torch.tensor(words[-1:])
            log_probs, state, attention = self._step(word, state)
            self._known[photo, words] = log_probs[0].tolist(), state, attention[0]
        return self._known[photo, words]

    def log_prob(self, photo: int, words: tuple[int, ...]) -> float:
        """Return the log-probability of the sentence with its end."""
        tables, _ = self.follow(photo, words)
        return sum(table[w] for table, w in zip(tables, (*words, END), strict=True))

    def sentences(self, max_words: int) -> list[tuple[int, ...]]:
        """Every sentence of at most `max_words` words, obeying nothing else."""
        words = range(1, self.vocabulary)
        return [s for n in range(max_words + 1) for s in itertools.product(words, repeat=n)]


@dataclass(frozen=True)
class Ended:
    """A sentence that a slow search met; sorts by rank."""

    rank: float
    words: tuple[int, ...]
    log_prob: float


Beams = list[tuple[float, tuple[int, ...]]]
Rule = Callable[[tuple[int, ...], int], bool]


def slow_beam(
    toy: Toy,
    photo: int,
    options: SearchOptions,
    may_follow: Rule = lambda words, word: True,
    required: tuple[int, ...] = (),
) -> list[Ended]:
    """A beam search with lists, one bank of beams for each number of `required` words held.

    Of the continuations that lead into a bank the best `beam` that do not end go on; those that end
    among the best `beam` of all, in the last bank, are finished. It never stops early, so it also
    says whether a search that does has stopped too soon.
    """
    banks: list[Beams] = [[(0.0, ())]] + [[] for _ in required]
    ended = []
    for _ in range(options.max_words + 1):
        continuations = [
            c for bank in banks for c in _continue(toy, photo, bank, options, may_follow)
        ]
        for c, _ in enumerate(banks):
            here = [
                entry
                for entry in continuations
                if len(set(required) & {*entry[1], entry[2]}) == c
                and (entry[2] != END or c == len(required))
            ]
            here.sort(reverse=True)
            ended += [
                _end(*entry[:2], options) for entry in here[: options.beam] if entry[2] == END
            ]
            banks[c] = [(s, (*words, w)) for s, words, w in here if w != END][: options.beam]
    ended.sort(key=lambda e: e.rank, reverse=True)
    return ended[: options.n_best or options.beam]


def slow_diverse(toy: Toy, photo: int, options: SearchOptions) -> list[Ended]:
    """Diverse beam search with lists: group after group, each shunning what the others took."""
    width = options.beam // options.groups
    wanted = options.n_best or options.beam
    kept = min(wanted, max(width, -(-wanted // options.groups)))
    groups: list[Beams] = [[(0.0, ())] for _ in range(options.groups)]
    ended: list[list[Ended]] = [[] for _ in groups]
    for _ in range(options.max_words + 1):
        taken: Counter[int] = Counter()
        for g, live in enumerate(groups):
            here = _continue(toy, photo, live, options, lambda words, word: True)
            here.sort(
                key=lambda entry: entry[0] - options.diversity * taken[entry[2]], reverse=True
            )
            ended[g] += [_end(*entry[:2], options) for entry in here[:width] if entry[2] == END]
            ended[g] = sorted(ended[g], key=lambda e: e.rank, reverse=True)[:kept]
            groups[g] = [(s, (*words, w)) for s, words, w in here if w != END][:width]
            taken.update(words[-1] for _, words in groups[g])
            full = len(ended[g]) == kept
            if ended[g] and (width == 1 or (full and _hopeless(groups[g], ended[g][-1], options))):
                groups[g] = []
    merged = sorted((e for group in ended for e in group), key=lambda e: e.rank, reverse=True)
    unique = {e.words: e for e in reversed(merged)}
    return sorted(unique.values(), key=lambda e: e.rank, reverse=True)[: options.n_best]


def _hopeless(live: Beams, worst: Ended, options: SearchOptions) -> bool:
    longest = (options.max_words + 1) ** options.length_penalty
    return not live or max(live)[0] / longest <= worst.rank


def _continue(
    toy: Toy, photo: int, live: Beams, options: SearchOptions, may_follow: Rule
) -> list[tuple[float, tuple[int, ...], int]]:
    continuations = []
    for score, words in live:
        table = toy.follow(photo, words)[0][-1]
        choices = [END] if len(words) == options.max_words else range(toy.vocabulary)
        continuations += [(score + table[w], words, w) for w in choices if may_follow(words, w)]
    return continuations


def _end(score: float, words: tuple[int, ...], options: SearchOptions) -> Ended:
    return Ended(score / (len(words) + 1) ** options.length_penalty, words, score)
