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
    """The official scorer with document frequencies that are given."""

    def __init__(self, frequencies: Frequencies) -> None:
        self._photos = frequencies.photos
        super().__init__()
        self.document_frequency.update(frequencies.counts)

    @property
    def ref_len(self) -> float:
        """The log of the number of photos that the frequencies are of."""
        return float(np.log(float(self._photos)))

    @ref_len.setter
    def ref_len(self, value: float) -> None:
        """The official scorer would put in the number of photos that it scores."""


def cider_scores(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, Sequence[str]],
    frequencies: Frequencies | None = None,
) -> tuple[float, npt.NDArray[np.float64]]:
    """CIDEr-D (Vedantam et al. 2015) of all N photos and of each (N), from tokenized sentences.

    Document frequencies are those of `references` unless others are given.
    """
    scorer = _Scorer(frequencies or Frequencies.of("the references scored", references))
    for key, texts in references.items():
        scorer += (candidates[key][0], texts)
    each = np.array(scorer.compute_cider())
    return float(each.mean()), each
