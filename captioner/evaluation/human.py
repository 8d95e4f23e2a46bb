"""Metrics against people's judgement: correlations with ratings of captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from captioner.datasets.captions import (
    CaptionedPhoto,
    PhotoId,
    cell,
    first_few,
    read_captioned,
)
from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import draw, interval
from captioner.evaluation.cider import Array, Frequencies, cider_r
from captioner.evaluation.java import Java, tokenize_groups
from captioner.evaluation.results import Lookup, finite, left_out
from captioner.evaluation.scorers import score
from captioner.evaluation.spice import with_spice

COLUMNS = ("rating", "human_score", "human", "judgment", "judgement", "score", "likert", "total")
_BLOCK = 256  # rows of the matrix of pairs at once
_LARGE = 4000  # ratings; for more the bootstrap takes a fifth of its samples


@dataclass(frozen=True)
class Rating:
    """What a person gave a caption of a photo."""

    photo: PhotoId
    caption: str
    rating: float


def read_ratings(
    path: Path, photos: Sequence[CaptionedPhoto], allow_missing: bool = False
) -> tuple[list[Rating], list[str]]:
    """The ratings of a file with a photo, a caption and a rating in each row, and notes on them.

    Raises CaptionerError for ratings that are no numbers, and for photos that are not among
    `photos`, unless `allow_missing` and some are.
    """
    lookup = Lookup(photos)
    found, unknown = [], []
    for row in read_captioned(path):
        value = cell(row.cells, COLUMNS)
        if value is None:
            raise CaptionerError(f"{row.place} has no rating; it has {first_few(row.cells, 8)}")
        if len(row.captions) != 1 or not row.captions[0]:
            raise CaptionerError(f"{row.place} needs one caption, which the rating is of")
        photo = lookup.find(row.id)
        if photo is None:
            unknown.append(row.id)
        else:
            found.append(Rating(photo, row.captions[0], finite(row.place, "rating", value)))
    notes = []
    if unknown:
        notes.append(
            f"{path.name}: {len(unknown)} ratings are of photos that the references do not have: "
            + first_few(dict.fromkeys(unknown))
        )
    advice = "--allow-missing leaves them out" if found else "no rating is of theirs"
    return found, left_out(notes, allow_missing and bool(found), advice)


def rated_metrics(
    ratings: Sequence[Rating],
    photos: Sequence[CaptionedPhoto],
    java: Java,
    frequencies: Frequencies | None = None,
) -> dict[str, Array]:
    """Every metric (N) of the N rated captions; one that is rated twice is scored once.

    CIDEr's document frequencies are from the references of all `photos` unless given.
    """
    told = {photo.id: photo.captions for photo in photos}
    counted = frequencies or Frequencies.of("the references", tokenize_groups(java, told))
    pairs = list(dict.fromkeys((one.photo, one.caption) for one in ratings))
    places = {pair: str(place) for place, pair in enumerate(pairs)}
    scores, _ = with_spice(
        score(
            {places[photo, text]: told[photo] for photo, text in pairs},
            {places[photo, text]: text for photo, text in pairs},
            java,
            counted,
        )
    )
    tokens = scores.tokens
    scores = scores.plus({"CIDEr_R": cider_r(tokens.references, tokens.candidates, counted)})
    rows = [int(places[one.photo, one.caption]) for one in ratings]
    return {name: np.asarray(column, float)[rows] for name, column in scores.values.items()}


def human_figures(
    ratings: Sequence[Rating], metrics: Mapping[str, Array], samples: int, seed: int
) -> dict[str, Any]:
    """Kendall's τ-b and τ-c and Pearson's r of each metric (N) with the N ratings.

    The intervals are of bootstrap samples of the photos: all ratings of a photo come together.
    """
    given = np.array([one.rating for one in ratings])
    photos = sorted({str(one.photo) for one in ratings})
    place = {key: number for number, key in enumerate(photos)}
    owners = np.array([place[str(one.photo)] for one in ratings])
    count = samples if len(ratings) <= _LARGE else max(1, samples // 5)
    weights = np.concatenate(list(draw(len(photos), count, seed)))[:, owners]
    return {
        "ratings": len(ratings),
        "photos": len(photos),
        "samples": count,
        "metrics": {
            name: _correlations(np.asarray(values, float), given, weights)
            for name, values in tqdm(metrics.items(), unit="metric", desc="ratings", disable=None)
        },
    }


def _correlations(values: Array, given: Array, weights: Array) -> dict[str, Any]:
    counts = np.concatenate([np.ones((1, len(given))), weights])  # all of them, and each sample
    tau_b, tau_c = kendall(values, given, counts)
    # τ-b counts, and sees a constant column where r may see rounding.
    r = np.where(np.isfinite(tau_b), pearson(values, given, counts), np.nan)
    found = {}
    for name, column in (("tau_b", tau_b), ("tau_c", tau_c), ("pearson", r)):
        known = column[1:][np.isfinite(column[1:])]
        there = bool(np.isfinite(column[0])) and len(known) > 0
        found[name] = {
            "value": float(column[0]) if there else None,
            "interval": interval(known) if there else None,
        }
    return found


def kendall(one: Array, other: Array, weights: Array) -> tuple[Array, Array]:
    """Kendall's τ-b and τ-c (S) of two columns (N), entries counted as `weights` (S, N) say.

    τ-b (Kendall 1945): concordant less discordant pairs, by the root of the pairs not tied in one
    and those not tied in the other. τ-c (Stuart 1953): 2 (C - D) m / (n² (m - 1)), of n entries,
    where m is the smaller number of different values. NaN where a column is constant.
    """
    total = weights.sum(1)
    both = _concordant(one, other, weights)  # each pair twice
    tied, kinds = zip(*(_ties(column, weights) for column in (one, other)), strict=True)
    least = np.minimum(*kinds)
    with np.errstate(invalid="ignore", divide="ignore"):
        tau_b: Array = both / np.sqrt((total**2 - tied[0]) * (total**2 - tied[1]))
        tau_c: Array = both * least / (total**2 * (least - 1))
    return tau_b, tau_c


def pearson(one: Array, other: Array, weights: Array) -> Array:
    """Pearson's correlation (S) of two columns (N), weighted by `weights` (S, N)."""
    one, other = one - one.mean(), other - other.mean()  # large numbers would lose their digits
    total = weights.sum(1)
    mean, other_mean = weights @ one / total, weights @ other / total
    together = weights @ (one * other) / total - mean * other_mean
    spread = weights @ one**2 / total - mean**2
    other_spread = weights @ other**2 / total - other_mean**2
    with np.errstate(invalid="ignore", divide="ignore"):
        r: Array = together / np.sqrt(np.maximum(spread, 0) * np.maximum(other_spread, 0))
    return r


def _concordant(one: Array, other: Array, weights: Array) -> Array:
    """Concordant less discordant pairs (S), over all ordered pairs."""
    found = np.zeros(len(weights))
    for start in range(0, len(one), _BLOCK):
        rows = slice(start, start + _BLOCK)
        signs = np.sign(one[rows, None] - one) * np.sign(other[rows, None] - other)
        found += ((weights[:, rows] @ signs) * weights).sum(1)
    return found


def _ties(column: Array, weights: Array) -> tuple[Array, Array]:
    """Ordered pairs of equal values, each with itself too (S), and different values drawn (S)."""
    _, kinds = np.unique(column, return_inverse=True)
    drawn = np.zeros((kinds.max() + 1, len(weights)))
    np.add.at(drawn, kinds, weights.T)
    pairs: Array = (drawn**2).sum(0)
    different: Array = (drawn > 0).sum(0).astype(np.float64)
    return pairs, different
