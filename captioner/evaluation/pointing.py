"""Where it looked: does the attention of a word that names a thing lie on that thing?

After the pointing game of Zhang et al. 2016, "Top-down Neural Attention by Excitation Backprop":
a word scores when the maximum of its map is inside a box of what it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from captioner.datasets.captions import PhotoId
from captioner.evaluation.bootstrap import ratio_interval
from captioner.evaluation.categories import CategoryWords
from captioner.evaluation.cider import Array
from captioner.evaluation.instances import Boxed, Instances
from captioner.evaluation.results import Candidate

_FINE = 16  # steps a grid cell is divided into, each way, to measure the box area within it


@dataclass(frozen=True)
class Pointed:
    """One word that names a boxed thing, and how the attention for it lies.

    `hit`: the maximum is inside a box; `mass`: the share of attention on the boxes; `area`: their
    share of the photo, which a blind guess would score; `centre`: the photo's middle is inside.
    """

    word: str
    category: str
    hit: bool
    mass: float
    area: float
    centre: bool


def point(candidate: Candidate, boxed: Boxed, names: CategoryWords) -> list[Pointed]:
    """Every word of the caption that names something boxed in the photo.

    A thing of two words has the mean of their maps. Words for things without a box are left out:
    they say nothing of where the model looked (`hallucination` counts them).
    """
    if candidate.attention is None:
        return []
    found = []
    for mention in names.mentions(candidate.words):
        present = [name for name in mention.categories if name in boxed.boxes]
        if not present:
            continue
        boxes = np.concatenate([boxed.boxes[name] for name in present])
        attention = candidate.attention[mention.start : mention.stop].mean(0).astype(np.float64)
        covered = coverage(boxes, attention.shape)
        row, column = np.unravel_index(attention.argmax(), attention.shape)
        middle = ((column + 0.5) / attention.shape[1], (row + 0.5) / attention.shape[0])
        found.append(
            Pointed(
                " ".join(candidate.words[mention.start : mention.stop]),
                present[0],
                inside(middle, boxes),
                float((attention * covered).sum() / attention.sum()),
                float(covered.mean()),
                inside((0.5, 0.5), boxes),
            )
        )
    return found


def inside(place: tuple[float, float], boxes: Array) -> bool:
    """Whether a point (x, y), in shares of width and height, is in any of the boxes (n, 4)."""
    x, y = place
    left, top, right, bottom = boxes.T
    return bool(((left <= x) & (x <= right) & (top <= y) & (y <= bottom)).any())


def coverage(boxes: Array, shape: tuple[int, ...]) -> Array:
    """The share of each grid cell that the boxes (n, 4) cover together, (rows, columns)."""
    rows, columns = shape
    x = (np.arange(columns * _FINE) + 0.5) / (columns * _FINE)
    y = (np.arange(rows * _FINE) + 0.5) / (rows * _FINE)
    covered = np.zeros((len(y), len(x)), dtype=bool)
    for left, top, right, bottom in boxes:
        covered |= np.outer((top <= y) & (y <= bottom), (left <= x) & (x <= right))
    cells = covered.reshape(rows, _FINE, columns, _FINE)
    shares: Array = cells.mean((1, 3))
    return shares


def point_all(
    candidates: Mapping[PhotoId, Candidate], instances: Instances, names: CategoryWords
) -> dict[PhotoId, list[Pointed]]:
    """Every photo that has boxes and a caption with attention."""
    return {
        key: point(candidate, boxed, names)
        for key, candidate in candidates.items()
        if (boxed := instances.of(key)) is not None and candidate.attention is not None
    }


def pointing_figures(pointed: Mapping[PhotoId, Sequence[Pointed]]) -> dict[str, Any]:
    """Accuracy with its interval, attention mass, and what chance and the centre would score."""
    every = [word for words in pointed.values() for word in words]
    if not every:
        return {"photos": len(pointed), "words": 0}
    hits = np.array([sum(word.hit for word in words) for words in pointed.values()], float)
    counts = np.array([len(words) for words in pointed.values()], float)
    categories = sorted({word.category for word in every})
    return {
        "photos": len(pointed),
        **_means(every),
        "accuracy_interval": ratio_interval(hits, counts),
        "by_category": {
            name: _means(word for word in every if word.category == name) for name in categories
        },
    }


def _means(words: Iterable[Pointed]) -> dict[str, float]:
    rows = np.array([[word.hit, word.centre, word.mass, word.area] for word in words], float)
    accuracy, centre, mass, area = rows.mean(0).tolist()
    return {
        "words": len(rows),
        "accuracy": accuracy,
        "accuracy_of_centre": centre,
        "accuracy_of_chance": area,
        "attention_mass": mass,
        "attention_mass_of_chance": area,
    }
