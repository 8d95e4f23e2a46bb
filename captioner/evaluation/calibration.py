"""Does it know when it is right: the captions' own scores beside what references say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from captioner.datasets.captions import PhotoId
from captioner.evaluation.bootstrap import interval
from captioner.evaluation.cider import Array
from captioner.evaluation.results import Candidate


def knowledge(
    candidates: Mapping[PhotoId, Candidate],
    references: Mapping[PhotoId, Sequence[str]],
    cider: Sequence[float],
) -> dict[str, Any] | None:
    """What the scores, confidences and probabilities of N candidates say of their CIDEr (N).

    `references` are tokenized. None where not all candidates come with a score or a confidence.
    """
    figures: dict[str, Any] = {}
    scores = [one.score for one in candidates.values() if one.score is not None]
    sure = [one.confidence for one in candidates.values() if one.confidence is not None]
    if len(scores) == len(candidates):
        figures = calibration_figures(scores, cider)
    if len(sure) == len(candidates):
        figures["confidence"] = confidence_figures(sure, cider)
    probabilities: list[float] = []
    right: list[bool] = []
    for key, one in candidates.items():
        told = {word for text in references[key] for word in text.split()}
        probabilities += one.probabilities
        right += [word in told for word in one.words[: len(one.probabilities)]]
    if figures and probabilities:
        figures["words"] = reliability(probabilities, right)
    return figures or None


def calibration_figures(scores: Sequence[float], cider: Sequence[float]) -> dict[str, Any]:
    """How the captions' scores (N) go with their CIDEr (N): correlations, and CIDEr by score.

    The curve has up to ten bins of equally many captions. Correlations are None where one side
    does not vary.
    """
    own, quality = np.array(scores, float), np.array(cider, float)
    return {
        "captions": len(own),
        "pearson": pearson(own, quality),
        "spearman": pearson(ranks(own), ranks(quality)),
        "area_under_curve": area_under_curve(own, quality > np.median(quality)),
        "cider_by_score": [
            {"captions": len(part), "score": own[part].mean(), "CIDEr": quality[part].mean()}
            for part in np.array_split(np.argsort(own, kind="stable"), min(10, len(own)))
        ],
    }


def confidence_figures(confidences: Sequence[float], cider: Sequence[float]) -> dict[str, Any]:
    """How far a confidence (N, 0…1) can be trusted that the photo's CIDEr (N) is above the median.

    As `calibration_figures`, with the area under the ROC curve's interval and the reliability
    curve: of captions of a given confidence, the share that is above the median.
    """
    sure, quality = np.array(confidences, float), np.array(cider, float)
    good = quality > np.median(quality)
    curve = reliability(sure.tolist(), good.tolist())
    return {
        **calibration_figures(confidences, cider),
        "interval": _area_interval(sure, good),
        "reliability": {
            "error": curve["error"],
            "bins": [
                {
                    "captions": one["words"],
                    "confidence": one["probability"],
                    "above_median": one["right"],
                }
                for one in curve["bins"]
            ],
        },
    }


def area_under_curve(scores: Array, good: npt.NDArray[np.bool_]) -> float | None:
    """The area under the ROC curve: how often a good one (N) has the higher score (N), a tie
    counting half. None where all are good, or none."""
    many, few = int(good.sum()), int((~good).sum())
    if not many or not few:
        return None
    return float((ranks(scores)[good].sum() - many * (many - 1) / 2) / (many * few))


def _area_interval(scores: Array, good: npt.NDArray[np.bool_]) -> tuple[float, float] | None:
    """95 % of the areas under the curve of 1,000 bootstrap samples."""
    random = np.random.default_rng(0)
    drawn = [random.integers(len(scores), size=len(scores)) for _ in range(1000)]
    areas = [area_under_curve(scores[rows], good[rows]) for rows in drawn]
    known = [area for area in areas if area is not None]
    return interval(np.array(known)) if known else None


def reliability(probabilities: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """The reliability curve of single words: how probable they were, how many proved right.

    A word is right if a reference of its photo has it. Ten bins of equal width; `error` is the
    expected calibration error (Guo et al. 2017), the mean gap weighted by the words in each bin.
    """
    sure, correct = np.array(probabilities, float), np.array(right, float)
    places = np.clip((sure * 10).astype(int), 0, 9)
    bins: list[dict[str, Any]] = [
        {
            "words": int((places == place).sum()),
            "probability": sure[places == place].mean(),
            "right": correct[places == place].mean(),
        }
        for place in sorted(set(places.tolist()))
    ]
    gaps = [one["words"] * abs(one["probability"] - one["right"]) for one in bins]
    return {"words": len(sure), "error": sum(gaps) / len(sure), "bins": bins}


def pearson(one: Array, other: Array) -> float | None:
    """The correlation of two columns (N); None if one of them is constant."""
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def ranks(values: Array) -> Array:
    """Ranks (N) from 0; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    shared: Array = (ends - (count + 1) / 2)[place]
    return shared
