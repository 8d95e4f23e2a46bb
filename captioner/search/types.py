"""What a search sees of a model: a step function and the state that it passes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

S = TypeVar("S", bound="State")


class State(Protocol):
    """What the model remembers of N sentences about B photos, N a multiple of B.

    Rows are photo-major: photo b owns the rows b·K … b·K + K - 1. What depends on the photo
    alone is held once for each photo, what depends on the words once for each row.
    """

    def select(self: S, rows: Tensor, photos: Tensor | None = None) -> S:
        """Return the state whose row i continues the old row `rows[i]` (N', long).

        `photos` (B', long) says which of the old photos stay, in their new order; None: all.
        """


Step = Callable[[Tensor, S], tuple[Tensor, S, Tensor]]
"""`step(words (N,) long, state)` returns log-probabilities (N, V) of the next word, the state
after `words`, and the attention (N, L) with which the next word is looked for."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """A complete sentence of T words, without its start and its end.

    The log-probabilities are the model's own, in nats, whatever temperature or penalty led the
    search: `log_probability` that of the sentence with its end, `word_log_probabilities` (T) those
    of its words. `attention` (T, L) lies on the CPU.
    """

    words: tuple[int, ...]
    log_probability: float
    word_log_probabilities: tuple[float, ...]
    attention: Tensor
