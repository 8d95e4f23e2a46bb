"""How sure a caption is: the figures by hand, the regression by its gradient."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from captioner import CaptionerError
from captioner.confidence import FIGURES, RIDGE, Confidence, evidence, fit
from captioner.search import Hypothesis


def test_the_figures_of_a_sentence() -> None:
    attention = np.array([[0.25] * 4, [1.0, 0, 0, 0]], np.float32)
    hypothesis = Hypothesis((7, 9), -3.0, (-0.5, -2.0), attention)
    found = dict(
        zip(FIGURES, evidence(hypothesis, 4.5, [(9, 0.8), (3, 0.6), (7, 0.1)]), strict=True)
    )
    assert found == pytest.approx(
        {
            "log_probability": -1.0,
            "least_probable": -2.0,
            "agreement": 4.5,
            "certainty": 0.5,
            "surest": 0.8,
            "said": 0.45,
            "entropy": 0.5,
            "words": 2,
        },
        abs=1e-6,
    )
    empty = evidence(Hypothesis((), -1.0, (), np.zeros((0, 0), np.float32)), 0.0, [])
    assert all(map(math.isfinite, empty))


def test_the_regression_is_the_most_likely_one() -> None:
    draw = np.random.default_rng(0)
    figures = draw.normal(size=(500, len(FIGURES))) * 3 + 1
    figures[:, 2] = 7.0  # says nothing
    chance = 1 / (1 + np.exp(-(figures[:, 0] - 0.5 * figures[:, 1])))
    accepted = draw.random(500) < chance
    sure = fit(figures, accepted)
    told = np.array([sure(row) for row in figures])
    columns = (figures - sure.means) / sure.scales
    slope = columns.T @ (told - accepted) + RIDGE * 500 * np.array(sure.weights)
    np.testing.assert_allclose(slope, 0, atol=1e-4)
    assert told.mean() == pytest.approx(accepted.mean(), abs=1e-6)
    assert np.corrcoef(told, chance)[0, 1] > 0.95 and abs(sure.weights[2]) < 1e-9


def test_a_checkpoint_keeps_it() -> None:
    sure = fit(np.random.default_rng(1).normal(size=(40, len(FIGURES))), [True, False] * 20)
    again = Confidence.read(Path("a"), sure.write())
    assert again == sure and Confidence.read(Path("a"), None) is None
    tree = json.loads(sure.write())
    assert Confidence.read(Path("a"), json.dumps(tree | {"figures": ["words"]})) is None


@pytest.mark.parametrize(
    "change",
    [
        {"weights": []},
        {"weights": [math.nan] * len(FIGURES)},
        {"scales": [0.0] * len(FIGURES)},
        {"bias": "x"},
        {"bias": None},
        {"means": 3},
    ],
)
def test_what_cannot_be_weights(change: dict[str, object]) -> None:
    tree = json.loads(fit(np.eye(len(FIGURES)), [True] * len(FIGURES)).write())
    with pytest.raises(CaptionerError, match=r"mine: its metadata is damaged \(confidence\)"):
        Confidence.read(Path("mine"), json.dumps(tree | change))
    with pytest.raises(CaptionerError, match=r"confidence"):
        Confidence.read(Path("mine"), "[" * 100_000)


def test_the_words_for_a_confidence_go_by_the_percentage_shown_beside_it():
    from captioner.confidence import in_words

    assert [in_words(sure) for sure in (1, 0.6, 0.596, 0.5949, 0.3, 0.1, 0.0949, 0)] == [
        "probably right", "probably right", "probably right", "may be right", "may be right",
        "probably wrong", "hardly a photo", "hardly a photo",
    ]  # fmt: skip
