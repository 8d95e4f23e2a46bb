"""How sure a caption is: the figures by hand, the regression by its gradient."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from captioner import CaptionerError
from captioner.confidence import FIGURES, RIDGE, Confidence, evidence, fit, look_of
from captioner.search import Hypothesis


def test_the_figures_of_a_sentence() -> None:
    attention = np.array([[0.25] * 4, [1.0, 0, 0, 0]], np.float32)
    hypothesis = Hypothesis((7, 9), -3.0, (-0.5, -2.0), attention)
    found = dict(
        zip(
            FIGURES,
            evidence(hypothesis, 4.5, {9: 0.8, 3: 0.6, 7: 0.1}, (3.5, -1.0), (0.25, 1.5)),
            strict=True,
        )
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
            "told": 3.5,
            "doubted": -1.0,
            "flat": 0.25,
            "colours": 1.5,
        },
        abs=1e-6,
    )
    nothing = Hypothesis((), -1.0, (), np.zeros((0, 0), np.float32))
    empty = evidence(nothing, 0.0, {}, (0.0, 0.0), (0.0, 0.0))
    assert all(map(math.isfinite, empty))


def test_the_look_of_a_picture() -> None:
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[:, 2:] = [255, 0, 1]
    picture[1, 3, 2] = 2  # as near as makes no difference
    flat, colours = look_of(picture)
    assert flat == pytest.approx(4 / 6) and colours == pytest.approx(math.log(2))
    ramp = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    assert look_of(ramp)[0] == 0 and look_of(ramp)[1] > math.log(2)


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
    draw = np.random.default_rng(1)
    photo, right = (fit(draw.normal(size=(40, len(FIGURES))), [True, False] * 20) for _ in "ab")
    sure = Confidence(photo, right)
    figures = draw.normal(size=len(FIGURES)).tolist()
    assert sure(figures) == photo(figures) * right(figures)
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
    one = fit(np.eye(len(FIGURES)), [True] * len(FIGURES))
    tree = json.loads(Confidence(one, one).write())
    tree["right"] |= change
    with pytest.raises(CaptionerError, match=r"mine: its metadata is damaged \(confidence\)"):
        Confidence.read(Path("mine"), json.dumps(tree))
    with pytest.raises(CaptionerError, match=r"confidence"):
        Confidence.read(Path("mine"), "[" * 100_000)


def test_the_words_for_a_confidence_go_by_the_percentage_shown_beside_it():
    from captioner.confidence import in_words

    assert [in_words(sure) for sure in (1, 0.6, 0.596, 0.5949, 0.3, 0.1, 0.0949, 0)] == [
        "probably right", "probably right", "probably right", "may be right", "may be right",
        "probably wrong", "hardly a photo", "hardly a photo",
    ]  # fmt: skip
