"""Which of a beam's sentences is told."""

from dataclasses import dataclass

import pytest

from captioner.search.consensus import by_consensus

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


def test_two_sentences_stay_as_they_were_found() -> None:
    assert by_consensus([THRICE, ONCE], RARITY) == [THRICE, ONCE]
