"""CLIPScore, RefCLIPScore, PAC-S and RefPAC-S from embeddings that the user brings, and BERTScore.

An .npz file with `images` (N, D), `candidates` (N, D) and, for the scores that look at references,
`references` (M, D) with `reference_ids` (M); or `references` (N, R, D), R of each photo. `ids` (N)
are the photos' ids or file names; without them the rows are in the order of the references' file.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.errors import CaptionerError
from captioner.evaluation.results import Lookup

Array = npt.NDArray[np.float64]
WEIGHTS = {"CLIP": 2.5, "PAC": 2.0}
"""What a cosine is multiplied with: Hessel et al. 2021, "CLIPScore", and Sarto et al. 2023,
"Positive-Augmented Contrastive Learning for Image and Video Captioning Evaluation"."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Unit vectors of N photos: of the picture (N, D), its caption (N, D), its references (R, D)
    each, or None where there are none."""

    images: Array
    candidates: Array
    references: tuple[Array, ...] | None


def embedding_scores(embeddings: Embeddings, kind: str = "CLIP") -> dict[str, Array]:
    """The scores (N) of a kind, "CLIP" or "PAC", by their names.

    w · max(cos(picture, caption), 0), and with references the harmonic mean of that and the best
    max(cos(caption, reference), 0).
    """
    alone = WEIGHTS[kind] * np.maximum((embeddings.images * embeddings.candidates).sum(1), 0)
    name = {"CLIP": "CLIPScore", "PAC": "PAC_S"}[kind]
    if embeddings.references is None:
        return {name: alone}
    best = np.array(
        [
            max(float((texts @ caption).max()), 0.0)
            for texts, caption in zip(embeddings.references, embeddings.candidates, strict=True)
        ]
    )
    both = alone + best
    harmonic = np.divide(2 * alone * best, both, out=np.zeros_like(both), where=both > 0)
    return {name: alone, f"Ref{name}": harmonic}


def read_embeddings(path: Path, photos: Sequence[CaptionedPhoto]) -> Embeddings:
    """The embeddings of `photos`, in their order. Raises CaptionerError for a file that lacks some,
    or whose arrays do not fit each other, or hold what is no number."""
    file = _File(path, photos)
    images, candidates = file.matrix("images"), file.matrix("candidates")
    if images.shape != candidates.shape:
        raise CaptionerError(
            f"{path}: 'images' are {_size(images)} and 'candidates' {_size(candidates)}: "
            "they must be as many and as long"
        )
    rows = file.rows(len(images))
    return Embeddings(
        unit(images[rows]), unit(candidates[rows]), file.references(images.shape, rows)
    )


class _File:
    """The arrays of one file, and the photos that their rows are of."""

    def __init__(self, path: Path, photos: Sequence[CaptionedPhoto]) -> None:
        self._path, self._photos = path, photos
        self._arrays = _arrays(path)

    def matrix(self, name: str, axes: int = 2) -> Array:
        array = self._arrays[name]
        if array.dtype.kind not in "fiu" or array.ndim != axes or not array.size:
            raise CaptionerError(
                f"{self._path}: '{name}' must be numbers, one row an embedding; it is "
                f"{_size(array)} of {array.dtype}"
            )
        if not np.isfinite(array).all():
            raise CaptionerError(f"{self._path}: '{name}' hold NaN or infinity")
        return array.astype(np.float64)

    def rows(self, count: int) -> list[int]:
        """The row of each photo among so many."""
        if "ids" in self._arrays:
            return [rows[0] for rows in self._named("ids", count, "embedding", once=True)]
        if count != len(self._photos):
            raise CaptionerError(
                f"{self._path}: holds {count} photos, and {len(self._photos)} are scored; "
                "an array 'ids' says which is which"
            )
        return list(range(count))

    def references(self, shape: tuple[int, ...], rows: Sequence[int]) -> tuple[Array, ...] | None:
        """Each photo's, where there are any, of as many numbers as the images (N, D)."""
        if "references" not in self._arrays:
            return None
        axes = 2 if "reference_ids" in self._arrays else 3
        texts = self.matrix("references", axes)
        if texts.shape[-1] != shape[1] or (axes == 3 and len(texts) != shape[0]):
            raise CaptionerError(
                f"{self._path}: 'references' are {_size(texts)}, which does not fit 'images' of "
                f"{' × '.join(map(str, shape))}"
            )
        texts = unit(texts)
        if axes == 3:
            return tuple(texts[row] for row in rows)
        named = self._named("reference_ids", len(texts), "reference among 'reference_ids'")
        return tuple(texts[found] for found in named)

    def _named(self, name: str, count: int, what: str, once: bool = False) -> list[list[int]]:
        """The rows of each photo, by an array of ids; at least one, or one where said."""
        ids = self._arrays[name]
        if ids.shape != (count,):
            raise CaptionerError(f"{self._path}: '{name}' are {_size(ids)}, and {count} are needed")
        lookup = Lookup(self._photos)
        rows: defaultdict[PhotoId | None, list[int]] = defaultdict(list)
        for row, key in enumerate(ids.tolist()):
            rows[lookup.find(key)].append(row)
        doubles = [photo.id for photo in self._photos if len(rows[photo.id]) > 1]
        if once and doubles:
            raise CaptionerError(
                f"{self._path}: '{name}' names a photo more than once: {first_few(doubles)}"
            )
        if missing := [photo.id for photo in self._photos if not rows[photo.id]]:
            raise CaptionerError(
                f"{self._path}: {len(missing)} of {len(self._photos)} photos have no {what}: "
                f"{first_few(missing)}"
            )
        return [rows[photo.id] for photo in self._photos]


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise CaptionerError(f"{path}: is one array; an .npz of named ones is needed")
        with file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise CaptionerError(f"{path}: {error.strerror or 'is no .npz file'}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise CaptionerError(f"{path}: is no .npz file of plain arrays, or cut off") from error
    for name in ("images", "candidates"):
        if name not in arrays:
            raise CaptionerError(f"{path}: has no array '{name}'; it has {first_few(arrays)}")
    return arrays


def unit(array: Array) -> Array:
    """Vectors (…, D) of length 1; those of length 0 stay."""
    norms = np.linalg.norm(array, axis=-1, keepdims=True)
    unit: Array = array / np.where(norms > 0, norms, 1)
    return unit


def _size(array: npt.NDArray[Any]) -> str:
    return " × ".join(map(str, array.shape)) or "a single value"


def bert_scores(
    references: Mapping[PhotoId, Sequence[str]], candidates: Mapping[PhotoId, str]
) -> Array:
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
