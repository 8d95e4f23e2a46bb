"""Many systems on the same photos: ranks, paired tests corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from captioner.datasets.captions import CaptionedPhoto, PhotoId
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import compare, interval, least_p, sampled_means
from captioner.evaluation.calibration import ranks
from captioner.evaluation.cider import Array
from captioner.evaluation.figures import Context, evaluate
from captioner.evaluation.java import Java
from captioner.evaluation.report import Report
from captioner.evaluation.results import Candidate

RANKED = "CIDEr"  # what the ranks and the diagram are of
LEVEL = 0.05


def compare_systems(
    photos: Sequence[CaptionedPhoto],
    systems: Mapping[str, Mapping[PhotoId, Candidate]],
    context: Context,
    samples: int,
    seed: int,
    java: Java,
) -> dict[str, Any]:
    """The figures of K systems on the photos that all of them have captions of.

    "systems" hold each one's metrics, intervals and mean rank, and its figures by source and group;
    "pairs" the differences of every two with p-values as they are and after Holm's correction for
    all pairs of a metric. Raises CaptionerError where the systems have no photo in common.
    """
    common = [photo for photo in photos if all(photo.id in found for found in systems.values())]
    if not common:
        raise CaptionerError(f"{', '.join(systems)} have no photo in common")
    reports: dict[str, Report] = {}
    for name, captions in systems.items():
        found = {photo.id: captions[photo.id] for photo in common}
        reports[name] = evaluate(common, found, context, samples, seed, java)
    first = next(iter(reports.values()))
    metrics = [
        name for name in first.metrics if all(name in one.metrics for one in reports.values())
    ]
    return {
        "photos_scored": len(common),
        "references_scored": first.figures["references_scored"],
        "bootstrap": first.figures["bootstrap"],
        "cider_document_frequencies": first.figures["cider_document_frequencies"],
        "systems": _with_ranks(reports, samples, seed),
        "pairs": _pairs(reports, metrics),
        "notes": _notes(reports, photos, len(common), samples),
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values after Holm's step-down correction for their number (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def mean_ranks(scores: Array) -> Array:
    """The rank (N, K) of each of K systems on each of N photos: 1 is best, equal ones share."""
    placed = [ranks(-row) + 1 for row in scores]
    return np.array(placed)


def cliques(names: Sequence[str], apart: Mapping[frozenset[str], bool]) -> list[list[str]]:
    """The longest runs of `names`, best first, in which no two are significantly apart."""
    runs: list[list[str]] = []
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and not any(
            apart[frozenset((names[end], other))] for other in names[start:end]
        ):
            end += 1
        run = list(names[start:end])
        if len(run) > 1 and not any(set(run) <= set(longer) for longer in runs):
            runs.append(run)
    return runs


def _with_ranks(reports: Mapping[str, Report], samples: int, seed: int) -> list[dict[str, Any]]:
    columns = [
        [photo["metrics"][RANKED] for photo in one.figures["photos"]] for one in reports.values()
    ]
    placed = mean_ranks(np.array(columns).T)
    drawn = sampled_means(placed, samples, seed)
    return [
        {
            "name": name,
            "metrics": one.metrics,
            "intervals": one.intervals,
            "rank": float(placed[:, column].mean()),
            "rank_interval": interval(drawn[:, column]),
            **{
                part: one.figures[part] for part in ("by_source", "by_group") if part in one.figures
            },
        }
        for column, (name, one) in enumerate(reports.items())
    ]


def _pairs(
    reports: Mapping[str, Report], metrics: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    pairs = list(combinations(reports, 2))
    figures = {}
    for metric in metrics:
        found = [
            compare(
                reports[one].metrics[metric],
                reports[other].metrics[metric],
                reports[one].sampled[metric],
                reports[other].sampled[metric],
            )
            for one, other in pairs
        ]
        corrected = holm([one.p for one in found])
        figures[metric] = [
            {"one": one, "other": other, "difference": d.difference,
             "interval": [d.low, d.high], "p": d.p, "p_holm": p}
            for (one, other), d, p in zip(pairs, found, corrected, strict=True)
        ]  # fmt: skip
    return figures


def _notes(
    reports: Mapping[str, Report], photos: Sequence[CaptionedPhoto], common: int, samples: int
) -> list[str]:
    notes = []
    if common < len(photos):
        notes.append(
            f"scored are the {common} of {len(photos)} photos that every system has a caption of"
        )
    notes += dict.fromkeys(note for one in reports.values() for note in one.notes)
    pairs = len(reports) * (len(reports) - 1) // 2
    if pairs * least_p(samples) >= LEVEL:  # none could differ after correction
        notes.append(
            f"{samples} bootstrap samples cannot show that any of {pairs} pairs differs after "
            f"Holm's correction: take --samples {math.ceil(2 * pairs / LEVEL)} or more"
        )
    return notes
