"""Does it know when it is right: the captions' own scores beside what references say of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


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
        "cider_by_score": [
            {"captions": len(part), "score": own[part].mean(), "CIDEr": quality[part].mean()}
            for part in np.array_split(np.argsort(own, kind="stable"), min(10, len(own)))
        ],
    }


def reliability(probabilities: Sequence[float], right: Sequence[bool]) -> dict[str, Any]:
    """The reliability curve of single words: how probable they were, how many proved right.

    A word is right if a reference of its photo has it. Ten bins of equal width; `error` is the
    expected calibration error (Guo et al. 2017), the mean gap weighted by the words in each bin.
    """
    sure, correct = np.array(probabilities, float), np.array(right, float)
    places = np.minimum((sure * 10).astype(int), 9)
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
