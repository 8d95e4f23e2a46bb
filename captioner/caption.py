"""What comes out of a captioner. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from captioner.images import Picture


@dataclass(frozen=True, eq=False)
class Caption:
    """One sentence about a photo, and where the model looked for each of its T words.

    `score` is the geometric mean of the words' probabilities (0…1), `log_probability` that of the
    whole sentence with its end in nats, `probabilities` those of its words (T). `attention` is
    (T, rows, columns), each map summing to 1 and lying over the whole photo; a decoder without
    attention looks nowhere: (T, 0, 0).

    `confidence` is the chance (0…1) that a person would accept the sentence; None from a model
    without the weights for it. `evidence` are the figures that it is made of, those that
    `captioner.confidence.FIGURES` names. `choices` has for each word the likeliest words in its
    place with their probabilities, best first, where `Options.choices` asked for them. `photo` is
    the picture that `Captioner.caption` was given: a notebook shows it.
    """

    text: str
    words: tuple[str, ...]
    score: float
    log_probability: float
    probabilities: tuple[float, ...]
    attention: npt.NDArray[np.float32]
    alternatives: tuple[Caption, ...] = ()
    confidence: float | None = None
    evidence: tuple[float, ...] = field(default=(), repr=False)
    choices: tuple[tuple[tuple[str, float], ...], ...] = ()
    photo: Picture | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        sure = "" if self.confidence is None else f", confidence={self.confidence:.2f}"
        return f"Caption({self.text!r}, score={self.score:.2f}{sure})"

    def _repr_html_(self) -> str:
        """The caption in a notebook: the photo, the sentence, a map for each word."""
        from captioner.notebook import as_html

        return as_html(self)
