"""The CIDEr-D reward against pycocoevalcap's own scorer."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider import Cider

from captioner.cider import CiderReward

SENTENCE = st.lists(st.integers(0, 6), min_size=1, max_size=9)
PHOTO = st.tuples(
    st.lists(st.integers(0, 6), max_size=12), st.lists(SENTENCE, min_size=1, max_size=4)
)


def text(words: list[int]) -> str:
    return " ".join(f"w{word}" for word in words)


def official(photos: list[tuple[list[int], list[list[int]]]]) -> list[float]:
    references = {i: [text(r) for r in refs] for i, (_, refs) in enumerate(photos)}
    candidates = {i: [text(candidate)] for i, (candidate, _) in enumerate(photos)}
    return [float(score) for score in Cider().compute_score(references, candidates)[1]]


def ours(photos: list[tuple[list[int], list[list[int]]]]) -> list[float]:
    reward = CiderReward(references for _, references in photos)
    return [
        reward.score(candidate, [reward.vector(r) for r in references])
        for candidate, references in photos
    ]


@settings(deadline=None, derandomize=True)
@given(st.lists(PHOTO, min_size=1, max_size=6))
def test_equals_the_official_score(photos: list[tuple[list[int], list[list[int]]]]) -> None:
    assert ours(photos) == pytest.approx(official(photos), abs=1e-6)


def test_equals_the_official_score_on_long_sentences() -> None:
    """Sentences of real length that share much: scores far from zero."""
    draw = random.Random(0)
    photos = []
    for _ in range(40):
        base = [min(int(draw.expovariate(0.05)), 200) for _ in range(12)]
        refs = [[w for w in base if draw.random() < 0.8] + [draw.randrange(9)] for _ in range(5)]
        photos.append(([w for w in base if draw.random() < 0.9], refs))
    scores = ours(photos)
    assert scores == pytest.approx(official(photos), abs=1e-6)
    assert sum(scores) / len(scores) > 1


def test_words_that_are_in_no_reference_cost() -> None:
    corpus = [[[1, 2, 3]], [[4, 5, 6]]]
    reward = CiderReward(corpus)
    reference = [reward.vector([1, 2, 3])]
    assert reward.score([1, 2, 3], reference) > reward.score([1, 2, 3, 99], reference) > 0
    assert reward.score([99, 98], reference) == 0 == reward.score([], reference)
    assert reward.score([1, 2, 3], reference) == pytest.approx(10 * 3 / 4)  # it has no 4-grams
