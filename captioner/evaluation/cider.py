"""CIDEr, and where its document frequencies come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pycocoevalcap.cider.cider_scorer import CiderScorer, cook_refs

from captioner.datasets.captions import PhotoId


@dataclass(frozen=True, eq=False)
class Frequencies:
    """In how many of `photos` photos each n-gram occurs among the references."""

    name: str
    photos: int
    counts: Mapping[tuple[str, ...], float]

    @classmethod
    def of(cls, name: str, references: Mapping[PhotoId, Sequence[str]]) -> Frequencies:
        """Counted in tokenized references."""
        scorer = CiderScorer()
        scorer.crefs = [cook_refs(texts) for texts in references.values()]
        scorer.compute_doc_freq()
        return cls(name, len(references), scorer.document_frequency)


class _Scorer(CiderScorer):  # type: ignore[misc]
    """The official scorer with document frequencies from elsewhere."""

    def __init__(self, frequencies: Frequencies) -> None:
        self._frequencies = frequencies
        super().__init__()

    @property
    def ref_len(self) -> float:
        """The log of the number of photos that the frequencies are of."""
        return float(np.log(float(self._frequencies.photos)))

    @ref_len.setter
    def ref_len(self, value: float) -> None:
        """The official scorer would put in the number of photos that it scores."""

    def compute_doc_freq(self) -> None:
        """Take the counts that are given."""
        self.document_frequency.update(self._frequencies.counts)


def cider_scores(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, Sequence[str]],
    frequencies: Frequencies | None = None,
) -> tuple[float, npt.NDArray[np.float64]]:
    """CIDEr-D (Vedantam et al. 2015) of all N photos and of each (N), from tokenized sentences.

    Document frequencies are those of `references` unless others are given.
    """
    scorer = CiderScorer() if frequencies is None else _Scorer(frequencies)
    for key, texts in references.items():
        scorer += (candidates[key][0], texts)
    if frequencies is None:
        total, each = scorer.compute_score()
    else:
        scorer.compute_doc_freq()
        each = np.array(scorer.compute_cider())
        total = each.mean()
    return float(total), each
