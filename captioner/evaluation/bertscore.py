"""BERTScore (Zhang et al. 2020), through its own package where that is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from captioner.datasets.captions import PhotoId
from captioner.errors import CaptionerError


def bert_scores(
    references: Mapping[PhotoId, Sequence[str]], candidates: Mapping[PhotoId, str]
) -> npt.NDArray[np.float64]:
    """BERTScore's F1 of each of N captions (N), by the package's model for English, unscaled.

    A caption's score is that with the reference it fits best. Raises CaptionerError where the
    package, or its model, is not there.
    """
    try:
        from bert_score import score
    except ImportError:
        raise CaptionerError(
            "BERTScore needs its package: pip install bert-score (which brings transformers)"
        ) from None
    texts = [list(references[key]) for key in candidates]
    try:
        _, _, f1 = score(list(candidates.values()), texts, lang="en", verbose=False)
    except OSError as error:
        raise CaptionerError(
            f"BERTScore's model cannot be had: {str(error).strip().splitlines()[0]}"
        ) from error
    return np.asarray(f1, dtype=np.float64)
