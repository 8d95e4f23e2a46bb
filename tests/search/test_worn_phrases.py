"""Phrases that cost nats: the search against enumeration of every sentence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from captioner.errors import CaptionerError
from captioner.search import SearchOptions, beam_search, by_consensus, sample
from captioner.search.worn import PhraseCosts, Worn, cost
from tests.search.test_consensus import RARITY, Told
from tests.search.toy import END, Toy

EXHAUSTIVE = 700
WORN: Worn = (((3, 4), 1.5), ((2, 2, 5), 0.7), ((5,), 0.2))


def price(words: tuple[int, ...], first: int = 0) -> float:
    """What WORN says of a sentence, less what ends before place `first`, word by word."""
    total = 0.0
    for end in range(first, len(words)):
        total += 1.5 * (words[max(0, end - 1) : end + 1] == (3, 4))
        total += 0.7 * (words[max(0, end - 2) : end + 1] == (2, 2, 5))
        total += 0.2 * (words[end] == 5)
    return total


@pytest.mark.parametrize("prefix", [(), (3,), (3, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_are_those_with_the_cost_and_told_without(
    seed: int, prefix: tuple[int, ...]
) -> None:
    toy = Toy(seed, photos=2)
    options = SearchOptions(
        END, beam=EXHAUSTIVE, max_words=4, length_penalty=0.7, n_best=15, worn=WORN, prefix=prefix
    )
    state, start = toy.start()
    for photo, found in enumerate(beam_search(toy.step, state, start, options)):
        sentences = [s for s in toy.sentences(4) if s[: len(prefix)] == prefix]
        scored = [
            ((toy.log_prob(photo, s) - price(s, len(prefix))) / (len(s) + 1) ** 0.7, s)
            for s in sentences
        ]
        best = sorted(scored, reverse=True)[:15]
        assert [h.words for h in found] == [s for _, s in best]
        for hypothesis, (rank, words) in zip(found, best, strict=True):
            log_prob = toy.log_prob(photo, words)
            assert hypothesis.log_probability == pytest.approx(log_prob, abs=1e-5)
            assert options.rank(hypothesis) == pytest.approx(rank, abs=1e-5)


def test_a_price_brings_another_sentence_forward() -> None:
    toy = Toy(1)
    state, start = toy.start()
    rules = {"beam": EXHAUSTIVE, "max_words": 4, "min_words": 2}
    options = SearchOptions(END, **rules)
    likeliest = beam_search(toy.step, state, start, options)[0][0].words
    dear = SearchOptions(END, **rules, worn=((likeliest[:2], 9.0),))
    other = beam_search(toy.step, state, start, dear)[0][0].words
    assert likeliest[:2] in pairwise(likeliest)
    assert likeliest[:2] not in pairwise(other)


@pytest.mark.parametrize("array", [np.array, torch.tensor])
def test_only_the_word_that_completes_a_phrase_is_charged(array: type) -> None:
    scores = array([[0.0] * 6, [0.0] * 6])
    sentence = array([[1, 3], [2, 2]])
    PhraseCosts.of(WORN, sentence).charge(scores, sentence)
    expected = [[0, 0, 0, 0, -1.5, -0.2], [0, 0, 0, 0, 0, -0.9]]
    assert np.allclose(np.asarray(scores), expected)
    assert cost((3, 4, 2, 2, 5, 3, 4), WORN) == pytest.approx(1.5 + 0.7 + 0.2 + 1.5)


def test_a_worn_sentence_gives_way_to_one_that_is_nearly_as_good() -> None:
    worn, other, third = Told((3, 4), -4.0), Told((4, 3), -4.5), Told((2,), -9.0)
    found = [worn, other, third]
    shown, attributes = {3: 0.9, 4: 0.9}, frozenset({2, 3, 4})
    assert by_consensus(found, RARITY, None, shown, attributes)[0] is worn
    assert by_consensus(found, RARITY, None, shown, attributes, WORN)[0] is other


@pytest.mark.parametrize("settings", [{"beam": 1}, {"beam": 3}, {"beam": 4, "groups": 2}])
def test_narrow_beams_and_groups_tell_true_probabilities(settings: dict[str, int]) -> None:
    """Whatever the search leaves out, what it finds has its own probability."""
    changed = 0
    for seed in range(6):
        toy = Toy(seed, photos=2)
        state, start = toy.start()
        plain, priced = (
            beam_search(toy.step, state, start, SearchOptions(END, max_words=5, worn=w, **settings))
            for w in ((), (((5,), 3.0), ((4,), 3.0)))
        )
        for photo, found in enumerate(priced):
            for hypothesis in found:
                log_prob = toy.log_prob(photo, hypothesis.words)
                assert hypothesis.log_probability == pytest.approx(log_prob, abs=1e-5)
        changed += [h[0].words for h in plain] != [h[0].words for h in priced]
    assert changed


@pytest.mark.parametrize("worn", [(((), 1.0),), (((3,), -1.0),), (((3,), float("nan")),)])
def test_prices_that_no_search_can_heed(worn: Worn) -> None:
    with pytest.raises(CaptionerError, match="a worn phrase must"):
        SearchOptions(END, worn=worn)


def test_sentences_are_drawn_without_the_price() -> None:
    toy = Toy(2)
    state, start = toy.start()
    plain, priced = (
        sample(toy.step, state, start, SearchOptions(END, max_words=4, worn=worn), 20)
        for worn in ((), WORN)
    )
    assert sorted(h.words for h in plain[0]) == sorted(h.words for h in priced[0])
