"""The bootstrap beside what theory says of means."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from captioner.evaluation.bootstrap import compare, draw, interval, p_text, ratio_interval


def means(values: np.ndarray, seed: int = 0, samples: int = 2000) -> np.ndarray:
    return np.concatenate([w @ values / len(values) for w in draw(len(values), samples, seed)])


def test_samples_are_draws_with_replacement() -> None:
    weights = np.concatenate(list(draw(7, 250, seed=3)))
    assert weights.shape == (250, 7)
    assert (weights.sum(1) == 7).all()
    assert weights.mean() == 1 and weights.max() >= 4
    assert (weights == np.concatenate(list(draw(7, 250, seed=3)))).all()


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    values = np.random.default_rng(1).gamma(2, size=400)
    error = values.std() / np.sqrt(len(values))
    low, high = interval(means(values))
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.1, 0.3])
def test_the_paired_p_value_is_the_paired_test_of_means(shift: float) -> None:
    random = np.random.default_rng(5)
    one = random.normal(size=500)
    other = one + random.normal(size=500) * 0.8 - shift
    found = compare(one.mean(), other.mean(), means(one), means(other))
    differences = one - other
    error = differences.std() / np.sqrt(len(differences))
    z = differences.mean() / error
    assert found.difference == pytest.approx(differences.mean())
    assert found.p == pytest.approx(2 * NormalDist().cdf(-abs(z)), abs=0.03)
    assert (found.low <= 0 <= found.high) == (found.p > 0.05)
    # Unpaired, the same difference would hardly ever be significant.
    assert found.high - found.low < 0.75 * np.ptp(interval(means(one) - means(other, seed=9)))


def test_no_difference_is_never_significant() -> None:
    same = means(np.arange(50.0))
    assert compare(1, 1, same, same).p == 1
    assert p_text(2 / 1001, 1000) == "< 0.002" and p_text(0.034, 1000) == "0.034"
    assert compare(2, 1, same + 1, same).p == pytest.approx(2 / 2001)


def test_the_interval_of_a_ratio_counts_photos_as_wholes() -> None:
    parts, wholes = np.array([3.0, 0, 1, 0, 2, 2]), np.array([3.0, 2, 4, 0, 2, 5])
    drawn = np.concatenate(list(draw(6)))
    expected = np.percentile((drawn @ parts) / (drawn @ wholes), [2.5, 97.5])
    assert ratio_interval(parts, wholes) == pytest.approx(tuple(expected))
    assert ratio_interval(np.zeros(3), np.zeros(3)) is None


def test_p_values_are_as_rare_as_they_say() -> None:
    """Two systems that are equally good, of skewed scores as CIDEr's: p < x in x of the cases."""
    random = np.random.default_rng(4)
    one, other = random.gamma(0.5, size=(2, 300))
    weights = np.concatenate(list(draw(300, 300))) / 300
    found = []
    for _ in range(500):
        swapped = random.random(300) < 0.5
        first, second = np.where(swapped, one, other), np.where(swapped, other, one)
        sampled = weights @ first, weights @ second
        found.append(compare(first.mean(), second.mean(), *sampled).p)
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(found) < 0.5) == pytest.approx(0.5, abs=0.07)
