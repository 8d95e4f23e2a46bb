"""How likely a person would accept a sentence: a logistic regression on what the search leaves.

`evidence` makes the figures of a sentence, `fit` learns their weights from sentences that were
judged, and a checkpoint keeps them under "confidence" in its metadata.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
    "told",  # what the sentence says and the attribute head too, as in `captioner.search.support`
    "doubted",  # what it says and the head doubts, nats
    "flat",  # share of the picture that is all one colour, as what is drawn is and no photo
    "colours",  # entropy of the picture's colours, nats
)
HARDLY = "hardly a photo"
STEPS = (
    (0.6, "probably right"),
    (0.3, "may be right"),
    (0.1, "probably wrong"),
    (0.0, HARDLY),
)
"""What a confidence of at least so much is called, wherever it is said in words."""
RIDGE = 3e-3  # keeps the weights of figures that say the same apart


def evidence(
    hypothesis: Hypothesis,
    agreed: float,
    shown: Mapping[int, float],
    support: tuple[float, float],
    look: tuple[float, float],
) -> tuple[float, ...]:
    """The FIGURES of a sentence about a picture that has this `look_of`.

    `agreed` is its agreement with the others of its beam, `shown` are the attribute words that the
    decoder was shown, with their probabilities, and `support` is what they say of the sentence.
    """
    words = hypothesis.words
    probabilities = list(shown.values())
    said = [probability for word, probability in shown.items() if word in words]
    return (
        hypothesis.log_probability / (len(words) + 1),
        min(hypothesis.word_log_probabilities, default=hypothesis.log_probability),
        agreed,
        _mean(probabilities),
        max(probabilities, default=0.0),
        _mean(said),
        _entropy(hypothesis.attention),
        float(len(words)),
        *support,
        *look,
    )


def look_of(picture: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """How flat a picture (H, W, 3) is, and its colours' entropy: figures of no photo.

    Flat is the share of its pixels that differ by 1 at most from the next one; colours are told
    apart in eighths of each channel.
    """
    red, green, blue = channels = np.ascontiguousarray(picture.transpose(2, 0, 1))
    one, next_one = channels[:, :, :-1], channels[:, :, 1:]
    alike = np.maximum(one, next_one) - np.minimum(one, next_one) <= 1
    coarse = (red >> 5).astype(np.uint16) << 6 | (green >> 5).astype(np.uint16) << 3 | blue >> 5
    shares = np.bincount(coarse.ravel()) / coarse.size
    shares = shares[shares > 0]
    entropy = float(-(shares * np.log(shares)).sum())
    return float(alike.all(0).mean()), entropy


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
class Regression:
    """The weights (F) of the FIGURES, each less its mean and divided by its scale, and the bias."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    bias: float

    def __call__(self, figures: Sequence[float]) -> float:
        """The chance (0…1) of what was learnt, given those figures."""
        columns = zip(figures, self.weights, self.means, self.scales, strict=True)
        score = self.bias + sum(w * (value - mean) / scale for value, w, mean, scale in columns)
        return 1 / (1 + math.exp(-max(-700.0, min(700.0, score))))


@dataclass(frozen=True)
class Confidence:
    """The chance that a picture is a photo, times the chance that the sentence about a photo is
    accepted."""

    photo: Regression
    right: Regression

    def __call__(self, figures: Sequence[float]) -> float:
        """The chance (0…1) that a person would accept a sentence with those figures."""
        return self.photo(figures) * self.right(figures)

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
            return cls(_regression(tree["photo"]), _regression(tree["right"]))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise CaptionerError(f"{file}: its metadata is damaged (confidence)") from None


def _regression(tree: Any) -> Regression:
    """What a checkpoint holds of one. Raises ValueError, LookupError or TypeError."""
    weights, means, scales = (
        tuple(map(float, tree[part])) for part in ("weights", "means", "scales")
    )
    found = Regression(weights, means, scales, float(tree["bias"]))
    fits = all(len(part) == len(FIGURES) for part in (weights, means, scales))
    if not (fits and all(map(math.isfinite, [*weights, *means, *scales, found.bias]))):
        raise ValueError("no finite numbers, one a figure")
    if min(scales) <= 0:
        raise ValueError("a scale that is not above 0")
    return found


def fit(figures: Sequence[Sequence[float]], holds: Sequence[bool | float]) -> Regression:
    """The regression of N sentences' figures (N, F) on whether, or how likely, something holds.

    Iteratively reweighted least squares with a ridge; numbers 0…1 as targets are taken as chances.
    """
    table, target = np.asarray(figures, np.float64), np.asarray(holds, np.float64)
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
    found = weights.tolist()
    return Regression(tuple(found[:-1]), tuple(means.tolist()), tuple(scales.tolist()), found[-1])
