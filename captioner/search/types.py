"""What a search sees of a model: a step function and the state that it passes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from captioner.search.arrays import Array

S = TypeVar("S", bound="SearchState")


class SearchState(Protocol):
    """What the model remembers of N sentences about B photos, N a multiple of B.

    Rows are photo-major: photo b owns the rows b·K … b·K + K - 1. What depends on the photo
    alone is held once for each photo, what depends on the words once for each row.
    """

    def select(self: S, rows: Array, photos: Array | None = None) -> S:
        """Return the state whose row i continues the old row `rows[i]` (N', int64).

        `photos` (B', int64) says which of the old photos stay, in their new order; None: all.
        """


Step = Callable[[Array, S], tuple[Array, S, Array]]
"""`step(words (N,) int64, state)` returns log-probabilities (N, V) of the next word, the state
after `words`, and the attention (N, L) with which the next word is looked for."""

Choices = tuple[tuple[tuple[int, float], ...], ...]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A complete sentence of T words, without its start and its end.

    The log-probabilities are the model's own, in nats, whatever temperature or penalty led the
    search: `log_probability` that of the sentence with its end, `word_log_probabilities` (T) those
    of its words. `attention` is (T, L) float32. `choices` (T) holds the likeliest words in each
    place with their log-probabilities, where they were asked for.
    """

    words: tuple[int, ...]
    log_probability: float
    word_log_probabilities: tuple[float, ...]
    attention: npt.NDArray[np.float32]
    choices: Choices = ()
