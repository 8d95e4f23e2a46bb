"""Figures of the sentences themselves and of the scores that come with them."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from captioner.evaluation.calibration import (
    area_under_curve,
    calibration_figures,
    confidence_figures,
    pearson,
    ranks,
    reliability,
)
from captioner.evaluation.style import bad_ending, repeats, style_figures


def test_style() -> None:
    captions = {
        1: "a man on a horse",
        2: "a man on a horse",
        3: "a dog and a",
        4: "a dog with with spots",
    }
    figures = style_figures(captions, frozenset(["a man on a horse"]))
    assert figures["distinct"] == 0.75
    assert figures["novel"] == 0.5
    assert figures["vocabulary"] == 8
    assert figures["lengths"] == {"4": 1, "5": 3}
    assert figures["mean_length"] == 4.75
    assert (figures["bad_endings"], figures["bad_endings_in"]) == (0.25, [3])
    assert figures["repeated"] == 0.25
    assert figures["distinct_bigrams"] == 4 + 3 + 3  # "a dog" is in two of them
    assert style_figures(captions)["novel"] is None


@pytest.mark.parametrize(
    ("text", "bad"),
    [("a man on a", True), ("a cup of", True), ("", True), ("a man on a bus", False)],
)
def test_bad_endings(text: str, bad: bool) -> None:
    assert bad_ending(text) is bad


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("a dog dog runs", True),
        ("a dog in the in the snow", True),
        ("a red ball and a red ball and", True),
        ("a man next to a man", False),
        ("a dog", False),
        ("", False),
    ],
)
def test_words_and_phrases_twice_running(text: str, twice: bool) -> None:
    assert repeats(text) is twice


def test_correlations_beside_the_standard_library() -> None:
    random = np.random.default_rng(0)
    one = random.integers(0, 8, 60).astype(float)  # many ties
    other = one + random.normal(size=60) * 4
    assert pearson(one, other) == pytest.approx(statistics.correlation(one, other))
    # The rank of a value: those below it, and half of its equals beside itself.
    expected = [(one < x).sum() + ((one == x).sum() - 1) / 2 for x in one]
    assert ranks(one).tolist() == expected
    assert pearson(np.ones(3), np.arange(3.0)) is None


def test_calibration() -> None:
    scores = [n / 100 for n in range(100)]
    figures = calibration_figures(scores, [3 * score**2 for score in scores])
    assert figures["spearman"] == pytest.approx(1)
    assert figures["pearson"] < 0.99
    assert [one["captions"] for one in figures["cider_by_score"]] == [10] * 10
    assert figures["cider_by_score"][-1]["score"] == pytest.approx(0.945)
    assert calibration_figures([0.5], [1.0])["pearson"] is None


def test_reliability_of_words_that_are_right_as_often_as_said() -> None:
    random = np.random.default_rng(3)
    sure = random.random(20_000)
    honest = reliability(sure.tolist(), (random.random(20_000) < sure).tolist())
    assert honest["words"] == 20_000 and len(honest["bins"]) == 10
    assert honest["error"] < 0.02
    for one in honest["bins"]:
        assert one["right"] == pytest.approx(one["probability"], abs=0.05)
    boastful = reliability([0.95] * 10 + [1.0], [True] * 5 + [False] * 6)
    assert boastful["error"] == pytest.approx(10.5 / 11 - 5 / 11)


def test_area_under_the_curve_counts_pairs() -> None:
    random = np.random.default_rng(0)
    scores, good = random.integers(20, size=200) / 20, random.random(200) < 0.3
    pairs = [(a > b) + (a == b) / 2 for a in scores[good] for b in scores[~good]]
    assert area_under_curve(scores, good) == pytest.approx(np.mean(pairs))
    assert area_under_curve(scores, np.ones(200, bool)) is None
    assert area_under_curve(np.array([0.1, 0.9]), np.array([False, True])) == 1


def test_a_confidence_that_knows_and_one_that_does_not() -> None:
    random = np.random.default_rng(0)
    sure = random.random(400)
    cider = (random.random(400) < sure) + 0.001 * random.random(400)
    known = confidence_figures(sure.tolist(), cider.tolist())
    low, high = known["interval"]
    assert 0.7 < low < known["area_under_curve"] < high < 0.95
    assert known["reliability"]["error"] < 0.1
    assert sum(one["captions"] for one in known["reliability"]["bins"]) == 400
    guess = confidence_figures(random.random(400).tolist(), cider.tolist())
    assert guess["interval"][0] < 0.5 < guess["interval"][1]
