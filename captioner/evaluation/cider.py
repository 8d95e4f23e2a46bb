"""CIDEr, where its document frequencies come from, and its kin on tokenized sentences: CIDEr-R,
which bears long captions, and Self-CIDEr."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocoevalcap.cider.cider_scorer import CiderScorer, cook_refs

from captioner.cider import Gram, Vector, cosine, vector
from captioner.datasets.captions import PhotoId

Array = npt.NDArray[np.float64]
_REPETITION, _LENGTH = 0.8, 0.2  # the paper's exponents of the two penalties


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
) -> tuple[float, Array]:
    """CIDEr-D (Vedantam et al. 2015) of all N photos and of each (N), from tokenized sentences.

    Document frequencies are those of `references` unless others are given.
    """
    scorer = _Scorer(frequencies or Frequencies.of("the references scored", references))
    for key, texts in references.items():
        scorer += (candidates[key][0], texts)
    each = np.array(scorer.compute_cider())
    return float(each.mean()), each


def cider_r(
    references: Mapping[PhotoId, Sequence[str]],
    candidates: Mapping[PhotoId, Sequence[str]],
    frequencies: Frequencies,
) -> Array:
    """CIDEr-R (dos Santos et al. 2021, https://arxiv.org/abs/2109.13701) of each of N photos (N).

    CIDEr-D's clipped cosines, but a difference in length counts relative to the reference, and
    words that are said more often than in the reference lower the score by themselves.
    """
    scores = [
        np.mean([_cider_r(candidates[key][0], text, frequencies) for text in texts])
        for key, texts in references.items()
    ]
    return np.array(scores, dtype=np.float64)


def self_cider(captions: Sequence[str], frequencies: Frequencies) -> float | None:
    """Self-CIDEr of one photo's m captions: 0 when all say the same, 1 when they share nothing.

    Wang and Chan 2019, "Describing like Humans": the eigenvalues of the captions' CIDEr with each
    other, -log_m of the greatest one's root among the roots of all. None for a single caption.
    """
    if len(captions) < 2:
        return None
    vectors = [_vector(text, frequencies) for text in captions]
    kernel = np.array([[cosine(a, b, clip=False) for b in vectors] for a in vectors])
    roots = np.sqrt(np.clip(np.linalg.eigvalsh(kernel), 0, None))
    if not roots.sum():
        return None
    return float(max(0.0, -math.log(roots[-1] / roots.sum()) / math.log(len(captions))))


def _vector(text: str, frequencies: Frequencies) -> Vector:
    every = math.log(frequencies.photos)
    counts: Mapping[Any, float] = frequencies.counts

    def rarity(gram: Gram) -> float:
        return every - math.log(max(1.0, counts.get(gram, 0.0)))

    return vector(text.split(), rarity)


def _cider_r(caption: str, reference: str, frequencies: Frequencies) -> float:
    said, told = Counter(caption.split()), Counter(reference.split())
    if not said or not told:
        return 0.0
    length = math.exp(-(((said.total() - told.total()) / told.total()) ** 2))
    excess = [
        abs(count - told[word]) if word in told else count - 1 for word, count in said.items()
    ]
    repetition = math.exp(-sum(map(math.log1p, excess)) / len(excess))  # geometric mean
    penalty = repetition**_REPETITION * length**_LENGTH
    alike = cosine(_vector(caption, frequencies), _vector(reference, frequencies))
    return 10 * penalty * alike
