"""Figures by group: nocaps' domains, sources, or any field of the references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from captioner.datasets.captions import CaptionedPhoto, PhotoId, first_few
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import interval, sample_scores
from captioner.evaluation.cider import Frequencies
from captioner.evaluation.java import Java
from captioner.evaluation.scorers import Scores, score_part

MOST = 60
NO_GROUP = "none"


def group_field(photos: Sequence[CaptionedPhoto], field: str) -> dict[str, list[PhotoId]]:
    """The photos' ids by their value of a field, the values in order.

    Raises CaptionerError where no photo has the field, or nearly each has a value of its own.
    """
    groups: dict[str, list[PhotoId]] = {}
    for photo in photos:
        groups.setdefault(photo.fields.get(field, ""), []).append(photo.id)
    if list(groups) == [""]:
        known = sorted({name for photo in photos for name in photo.fields} - {"id", "image_id"})
        has = f"they have {first_few(known, 12)}" if known else "they have no fields"
        raise CaptionerError(f"no photo of the references has a field {field!r}; {has}")
    if len(groups) > MOST:
        raise CaptionerError(
            f"the field {field!r} has {len(groups)} values, too many for a table (at most {MOST}): "
            f"{first_few(sorted(groups))}"
        )
    return {value or NO_GROUP: groups[value] for value in sorted(groups)}


def group_figures(
    scores: Scores,
    groups: dict[str, list[PhotoId]],
    java: Java,
    frequencies: Frequencies | None,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """Every group as if it had been scored alone, with intervals."""
    figures = {}
    for value, keys in groups.items():
        part = score_part(scores, keys, java, frequencies)
        sampled = sample_scores(part, java, samples, seed)
        figures[value] = {
            "photos": len(keys),
            "metrics": part.metrics,
            "intervals": {name: interval(drawn) for name, drawn in sampled.items()},
        }
    return figures
