"""CLIPScore, RefCLIPScore, PAC-S and RefPAC-S from embeddings that the user brings.

An .npz file with `images` (N, D), `candidates` (N, D) and, for the scores that look at references,
`references` (M, D) with `reference_ids` (M); or `references` (N, R, D), R of each photo. `ids` (N)
are the photos' ids or file names; without them the rows are in the order of the references' file.
"""

from __future__ import annotations

import zipfile
from collections import Counter
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
    arrays = _arrays(path)
    images = _matrix(path, arrays, "images")
    candidates = _matrix(path, arrays, "candidates")
    if images.shape != candidates.shape:
        raise CaptionerError(
            f"{path}: 'images' are {_size(images)} and 'candidates' {_size(candidates)}: "
            "they must be as many and as long"
        )
    rows = _rows(path, arrays, len(images), photos)
    references = _references(path, arrays, images.shape, photos, rows)
    return Embeddings(unit(images[rows]), unit(candidates[rows]), references)


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


def _matrix(path: Path, arrays: Mapping[str, npt.NDArray[Any]], name: str, axes: int = 2) -> Array:
    array = arrays[name]
    if array.dtype.kind not in "fiu" or array.ndim != axes or not array.size:
        raise CaptionerError(
            f"{path}: '{name}' must be numbers, one row an embedding; it is {_size(array)} "
            f"of {array.dtype}"
        )
    if not np.isfinite(array).all():
        raise CaptionerError(f"{path}: '{name}' hold NaN or infinity")
    return array.astype(np.float64)


def _rows(
    path: Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    count: int,
    photos: Sequence[CaptionedPhoto],
) -> list[int]:
    """The row of each photo."""
    if "ids" not in arrays:
        if count != len(photos):
            raise CaptionerError(
                f"{path}: holds {count} photos, and {len(photos)} are scored; "
                "an array 'ids' says which is which"
            )
        return list(range(count))
    found = _found(path, arrays, "ids", count, photos)
    counts = Counter(key for key in found if key is not None)
    if doubles := [key for key, times in counts.items() if times > 1]:
        raise CaptionerError(f"{path}: 'ids' names a photo more than once: {first_few(doubles)}")
    rows = {key: row for row, key in enumerate(found) if key is not None}
    missing = [photo.id for photo in photos if photo.id not in rows]
    if missing:
        raise CaptionerError(
            f"{path}: {len(missing)} of {len(photos)} photos have no embedding: "
            f"{first_few(missing)}"
        )
    return [rows[photo.id] for photo in photos]


def _found(
    path: Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    name: str,
    count: int,
    photos: Sequence[CaptionedPhoto],
) -> list[PhotoId | None]:
    """The photo that each id of an array means."""
    ids = arrays[name]
    if ids.shape != (count,):
        raise CaptionerError(f"{path}: '{name}' are {_size(ids)}, and {count} are needed")
    lookup = Lookup(photos)
    return [lookup.find(key) for key in ids.tolist()]


def _references(
    path: Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    shape: tuple[int, ...],
    photos: Sequence[CaptionedPhoto],
    rows: Sequence[int],
) -> tuple[Array, ...] | None:
    if "references" not in arrays:
        return None
    axes = 2 if "reference_ids" in arrays else 3
    texts = _matrix(path, arrays, "references", axes)
    if texts.shape[-1] != shape[1] or (axes == 3 and len(texts) != shape[0]):
        raise CaptionerError(
            f"{path}: 'references' are {_size(texts)}, which does not fit 'images' of "
            f"{' × '.join(map(str, shape))}"
        )
    texts = unit(texts)
    if axes == 3:
        return tuple(texts[row] for row in rows)
    belongs: dict[PhotoId | None, list[int]] = {}
    for row, key in enumerate(_found(path, arrays, "reference_ids", len(texts), photos)):
        belongs.setdefault(key, []).append(row)
    missing = [photo.id for photo in photos if photo.id not in belongs]
    if missing:
        raise CaptionerError(
            f"{path}: {len(missing)} photos have no reference among 'reference_ids': "
            f"{first_few(missing)}"
        )
    return tuple(texts[belongs[photo.id]] for photo in photos)


def unit(array: Array) -> Array:
    """Vectors (…, D) of length 1; those of length 0 stay."""
    norms = np.linalg.norm(array, axis=-1, keepdims=True)
    unit: Array = array / np.where(norms > 0, norms, 1)
    return unit


def _size(array: npt.NDArray[Any]) -> str:
    return " × ".join(map(str, array.shape)) or "a single value"
