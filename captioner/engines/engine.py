"""The interface between a captioner and what computes its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from captioner.notes import Notes
from captioner.search.arrays import Array


@dataclass(frozen=True)
class Started:
    """What an engine knows of B photos before the first word.

    `state` has a row a photo and can `select` (see `captioner.search.types.SearchState`).
    `attributes` (B, M) are the ids of the attribute words that the decoder is shown, `certainty`
    (B, M) their probabilities; M may be 0.
    """

    state: Any
    attributes: npt.NDArray[np.int64]
    certainty: npt.NDArray[np.float32]


class Engine(Protocol):
    """Computes one model. `name` is the engine's, `notes` are the model's."""

    name: str
    precision: str  # of the encoder at least: "float32" or "bfloat16"
    notes: Notes

    def start(self, photos: npt.NDArray[np.uint8]) -> Started:
        """Look at photos (B, S, S, 3), red, green, blue. Another thread may be in `step`."""

    def step(self, words: Array, state: Any) -> tuple[Array, Any, Array]:
        """Read words (N,), as `captioner.search.types.Step` says."""

    def ids(self, words: Sequence[int]) -> Array:
        """The ids in the kind of array that `step` takes."""
