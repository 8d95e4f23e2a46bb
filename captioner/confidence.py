"""How likely a person would accept a sentence: a logistic regression on what the search leaves.

`evidence` makes the figures of a sentence, `fit` learns their weights from sentences that were
judged, and a checkpoint keeps them under "confidence" in its metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from captioner.errors import CaptionerError
from captioner.search.types import Hypothesis

FIGURES = (
    "log_probability",  # mean of the words' and the end's, nats
    "least_probable",  # of the word least expected, nats
    "agreement",  # with the other sentences of the beam: CIDEr-D, 0…10
    "certainty",  # mean probability of the attribute words that the decoder was shown
    "surest",  # the highest of them
    "said",  # mean probability of those attribute words that the sentence holds, 0 where none
    "entropy",  # of the attention, mean over the words, 1: nowhere in particular
    "words",  # how many
)
HARDLY = "hardly a photo"
STEPS = (
    (0.6, "probably right"),
    (0.3, "may be right"),
    (0.1, "probably wrong"),
    (0.0, HARDLY),
)
"""What a confidence of at least so much is called, wherever it is said in words."""
RIDGE = 1e-3  # keeps the weights of figures that say the same apart


def evidence(
    hypothesis: Hypothesis, agreed: float, shown: Sequence[tuple[int, float]]
) -> tuple[float, ...]:
    """The FIGURES of a sentence.

    `agreed` is its agreement with the others of its beam, `shown` are the attribute words that the
    decoder was shown, with their probabilities.
    """
    words = hypothesis.words
    probabilities = [probability for _, probability in shown]
    said = [probability for word, probability in shown if word in words]
    return (
        hypothesis.log_probability / (len(words) + 1),
        min(hypothesis.word_log_probabilities, default=hypothesis.log_probability),
        agreed,
        _mean(probabilities),
        max(probabilities, default=0.0),
        _mean(said),
        _entropy(hypothesis.attention),
        float(len(words)),
    )


def in_words(confidence: float) -> str:
    """What a `Caption.confidence` (0…1) is called, by the percentage that is shown beside it."""
    return next(words for least, words in STEPS if round(confidence, 2) >= least)


def why_withheld(confidence: float) -> str:
    """The reason for not giving a sentence of so little confidence."""
    return HARDLY if in_words(confidence) == HARDLY else "unsure"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _entropy(attention: npt.NDArray[np.float32]) -> float:
    """Mean entropy of maps (T, L), as a share of that of an even map."""
    if attention.size == 0 or attention.shape[1] < 2:
        return 1.0
    logs = np.log(np.maximum(attention, 1e-12))
    return float(-(attention * logs).sum(1).mean() / math.log(attention.shape[1]))


@dataclass(frozen=True)
class Confidence:
    """The weights (F) of the FIGURES, each less its mean and divided by its scale, and the bias."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float

    def __call__(self, figures: Sequence[float]) -> float:
        """The chance (0…1) that a person would accept a sentence with those figures."""
        columns = zip(figures, self.weights, self.means, self.scales, strict=True)
        score = self.bias + sum(w * (value - mean) / scale for value, w, mean, scale in columns)
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, score))))

    def write(self) -> str:
        """As a checkpoint keeps it."""
        return json.dumps({"figures": FIGURES, **asdict(self)})

    @classmethod
    def read(cls, file: Path, text: str | None) -> Confidence | None:
        """What `write` wrote; None where nothing is, or for other figures than today's. Raises
        CaptionerError, naming the checkpoint, for what cannot be weights."""
        if text is None:
            return None
        try:
            tree = json.loads(text)
            if tuple(tree["figures"]) != FIGURES:
                return None
            lists = [tuple(map(float, tree[name])) for name in ("weights", "means", "scales")]
            bias = float(tree["bias"])
        except (ValueError, LookupError, TypeError, RecursionError):
            lists, bias = [], math.nan
        numbers = [number for part in lists for number in part]
        fits = len(lists) == 3 and all(len(part) == len(FIGURES) for part in lists)
        if not (fits and all(map(math.isfinite, [*numbers, bias])) and min(lists[2]) > 0):
            raise CaptionerError(f"{file}: its metadata is damaged (confidence)")
        weights, means, scales = lists
        return cls(weights, means, scales, bias)


def fit(figures: Sequence[Sequence[float]], accepted: Sequence[bool | float]) -> Confidence:
    """The regression of N sentences' figures (N, F) on whether, or how likely, each is accepted.

    Iteratively reweighted least squares with a ridge; numbers 0…1 as targets are taken as chances.
    """
    table, target = np.asarray(figures, np.float64), np.asarray(accepted, np.float64)
    means, scales = table.mean(0), table.std(0)
    scales = np.where(scales > 1e-9, scales, 1.0)
    columns = np.column_stack([(table - means) / scales, np.ones(len(table))])
    ridge = RIDGE * len(table) * np.diag([*np.ones(table.shape[1]), 0.0])
    weights = np.zeros(columns.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (chance - target) + ridge @ weights
        curve = (columns.T * (chance * (1 - chance))) @ columns + ridge
        step = np.linalg.solve(curve + 1e-9 * np.eye(len(curve)), slope)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return Confidence(
        tuple(weights[:-1].tolist()), tuple(means.tolist()), tuple(scales.tolist()), weights[-1]
    )
