"""Which of a beam's sentences is told."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.cider import pairwise, similarity, vector
from captioner.search.consensus import UNEXPECTED, agreement, by_consensus, support

A, AND, RED, BALL, DOG = range(5)
RARITY = [0.1, 0.5, 3.0, 4.0, 2.0]


@dataclass(frozen=True)
class Told:
    words: tuple[int, ...]
    log_probability: float = -5.0


ONCE = Told((A, RED, BALL), -9.0)
TWICE = Told((A, RED, BALL, AND, RED), -7.0)
THRICE = Told((A, RED, RED, AND, RED), -5.0)


@pytest.mark.parametrize("found", [[ONCE, TWICE, THRICE], [THRICE, TWICE, ONCE]])
def test_what_is_named_again_costs_more_than_it_agrees(found: list[Told]) -> None:
    assert by_consensus(found, RARITY) == [ONCE, TWICE, THRICE]


def test_where_every_sentence_names_something_again_the_one_that_does_least_is_told() -> None:
    likely = [THRICE, Told((A, RED, RED, AND, RED, BALL), -5.1), TWICE]
    assert by_consensus(likely, RARITY)[0] is TWICE


def test_small_words_may_come_again() -> None:
    found = [Told((A, DOG, AND, A, BALL)), Told((A, DOG, AND, A, BALL)), Told((A, RED))]
    assert by_consensus(found, RARITY)[0] == found[0]


def test_a_plural_names_what_its_singular_does() -> None:
    dogs = Told((A, BALL, AND, DOG, A, BALLS := 5), -4.0)
    found = [dogs, ONCE, TWICE]
    rarity = [*RARITY, 4.0]
    assert by_consensus(found, rarity)[-1] is TWICE
    assert by_consensus(found, rarity, same={BALLS: BALL})[0] is ONCE


def test_two_sentences_stay_as_they_were_found() -> None:
    assert by_consensus([THRICE, ONCE], RARITY) == [THRICE, ONCE]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    sentences=st.lists(st.lists(st.integers(0, 4), max_size=9).map(tuple), max_size=6),
    seed=st.integers(0, 1000),
)
def test_all_pairs_at_once_are_as_one_by_one(sentences: list[tuple[int, ...]], seed: int) -> None:
    rarity = np.random.default_rng(seed).random(5) * 4
    rarity[0] = 0.0
    found = pairwise(sentences, rarity)
    vectors = [
        vector(words, lambda gram: max(rarity[word] for word in gram)) for words in sentences
    ]
    expected = [[similarity(one, other) for other in vectors] for one in vectors]
    np.testing.assert_allclose(found, np.reshape(expected, found.shape), atol=1e-9)


def test_a_sentence_has_its_say_by_the_fourth_root_of_its_probability() -> None:
    found = [Told((A, RED), -1.0), Told((A, BALL), -5.0), Told((DOG,), -9.0)]
    alike = pairwise([one.words for one in found], np.array(RARITY))
    say = [1.0, math.exp(-1.0), math.exp(-2.0)]
    expected = [sum(w * s for w, s in zip(say, row, strict=True)) / sum(say) for row in alike]
    assert agreement(found, RARITY) == pytest.approx(expected)
    assert agreement([], RARITY) == []


KNOWN = frozenset((RED, BALL, DOG))


def test_what_the_attribute_head_bears_out() -> None:
    told, doubted = support(Told((A, RED, BALL)), RARITY, {RED: 0.5}, KNOWN)
    assert told == pytest.approx(0.5 * RARITY[RED])
    expected = (math.log(0.5 + UNEXPECTED) + math.log(UNEXPECTED)) / 2
    assert doubted == pytest.approx(expected)
    assert support(Told((A, AND)), RARITY, {RED: 0.5}, KNOWN) == (0.0, math.log(UNEXPECTED))


def test_the_sentence_that_the_head_expects_is_told() -> None:
    ball, dog, both = Told((A, RED, BALL)), Told((A, RED, DOG)), Told((A, RED))
    found = [ball, dog, both]
    assert by_consensus(found, RARITY, shown={DOG: 0.9}, attributes=KNOWN)[0] == dog
    assert by_consensus(found, RARITY, shown={BALL: 0.9}, attributes=KNOWN)[0] == ball
