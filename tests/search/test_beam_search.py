"""Beam search against enumeration of every sentence and against a slow search with lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.search import Hypothesis, SearchOptions, beam_search
from captioner.search.arrays import topk
from tests.search.toy import END, Toy, ToyState, slow_beam

EXHAUSTIVE = 700  # beams: more than there are beginnings of sentences below


def search(toy: Toy, **settings: object) -> list[list[Hypothesis]]:
    state, start = toy.start()
    return beam_search(toy.step, state, start, SearchOptions(end=END, **settings))


def words_of(found: list[Hypothesis]) -> list[tuple[int, ...]]:
    return [hypothesis.words for hypothesis in found]


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_wide_beam_finds_the_best_of_all_sentences(seed: int, alpha: float) -> None:
    toy = Toy(seed, photos=3)
    found = search(toy, beam=EXHAUSTIVE, max_words=4, length_penalty=alpha, n_best=20)
    for photo in range(3):
        scored = [(toy.log_prob(photo, s) / (len(s) + 1) ** alpha, s) for s in toy.sentences(4)]
        best = sorted(scored, reverse=True)[:20]
        assert words_of(found[photo]) == [s for _, s in best]
        for hypothesis, (rank, _) in zip(found[photo], best, strict=True):
            length = len(hypothesis.words) + 1
            assert hypothesis.log_probability / length**alpha == pytest.approx(rank, abs=1e-5)
    assert len({found[photo][0].words for photo in range(3)}) > 1 or alpha == 0


def test_every_sentence_once_when_all_are_wanted() -> None:
    toy = Toy(5, vocabulary=4)
    found = search(toy, beam=60, max_words=3)[0]
    assert sorted(words_of(found)) == sorted(toy.sentences(3))
    scores = [h.log_probability for h in found]
    assert scores == sorted(scores, reverse=True)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    beam=st.integers(1, 5),
    n_best=st.integers(1, 9),
    alpha=st.sampled_from([0.0, 0.5, 1.0, 1.6]),
    max_words=st.integers(1, 6),
)
def test_narrow_beam_equals_the_slow_search(
    seed: int, beam: int, n_best: int, alpha: float, max_words: int
) -> None:
    """Several photos at once, each leaving when it is finished, stop no sooner than allowed."""
    toy = Toy(seed, photos=4)
    settings = {
        "beam": beam,
        "n_best": 1 if beam == 1 else n_best,
        "max_words": max_words,
        "length_penalty": 0.0 if beam == 1 else alpha,
    }
    found = search(toy, **settings)
    for photo in range(4):
        expected = slow_beam(toy, photo, SearchOptions(end=END, **settings))
        assert words_of(found[photo]) == [e.words for e in expected]
        for hypothesis, e in zip(found[photo], expected, strict=True):
            assert hypothesis.log_probability == pytest.approx(e.log_prob, abs=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_one_beam_takes_the_likeliest_word_until_the_first_end(alpha: float) -> None:
    toy = Toy(11, photos=8)
    found = search(toy, beam=1, max_words=9, length_penalty=alpha)
    lengths = set()
    for photo in range(8):
        words: tuple[int, ...] = ()
        while len(words) < 9:
            table = toy.follow(photo, words)[0][-1]
            word = max(range(toy.vocabulary), key=table.__getitem__)
            if word == END:
                break
            words += (word,)
        lengths.add(len(words))
        assert words_of(found[photo]) == [words]
    assert len(lengths) > 2


def test_log_probabilities_and_attention_belong_to_the_words() -> None:
    toy = Toy(3, photos=5)
    found = search(toy, beam=4, max_words=6, length_penalty=1.0)
    assert len({len(h.words) for photo in found for h in photo}) >= 5
    for photo, hypotheses in enumerate(found):
        for h in hypotheses:
            tables, attention = toy.follow(photo, h.words)
            expected = [table[w] for table, w in zip(tables, h.words, strict=False)]
            assert h.word_log_probabilities == pytest.approx(expected, abs=1e-5)
            assert h.log_probability == pytest.approx(toy.log_prob(photo, h.words), abs=1e-4)
            assert h.attention.shape == (len(h.words), attention.shape[1])
            np.testing.assert_allclose(h.attention, attention, atol=1e-6, rtol=0)


def test_finished_photos_leave_the_batch_and_change_nothing() -> None:
    toy = Toy(3, photos=6, sharpness=5.0)
    together = search(toy, beam=2, max_words=12)
    sizes = toy.batches.copy()
    assert sizes[0] == (6, 6) and sizes[1] == (12, 6)
    assert all(rows == 2 * photos for rows, photos in sizes[1:])
    assert len({photos for _, photos in sizes}) >= 3
    options = SearchOptions(end=END, beam=2, max_words=12)
    for photo in range(6):
        state, start = toy.start([photo])
        alone = beam_search(toy.step, state, start, options)[0]
        assert words_of(alone) == words_of(together[photo])


def test_stops_before_the_longest_sentence_when_nothing_can_win_any_more() -> None:
    toy = Toy(2, sharpness=6.0)
    best = search(toy, beam=3, n_best=1, max_words=200)[0][0]
    assert len(toy.batches) < 50
    toy.batches.clear()
    assert search(toy, beam=3, max_words=200)[0][0].words == best.words


def test_quick_stop_is_quicker_and_still_ranks_what_it_met() -> None:
    exact_steps, quick_steps = 0, 0
    for seed in range(10):
        toy = Toy(seed, photos=2, sharpness=4.0)
        common = {"beam": 3, "n_best": 1, "max_words": 25, "length_penalty": 1.0}
        exact = search(toy, **common)
        exact_steps += len(toy.batches)
        toy.batches.clear()
        quick = search(toy, **common, exact_stop=False)
        quick_steps += len(toy.batches)
        for better, worse in zip(exact, quick, strict=True):
            ranks = [h[0].log_probability / (len(h[0].words) + 1) for h in (better, worse)]
            assert ranks[0] >= ranks[1] - 1e-6
    assert quick_steps < 0.8 * exact_steps


def test_the_end_must_come_at_the_greatest_length_at_its_true_cost() -> None:
    toy = Toy(0)
    toy.out[:, END] = 0
    toy.out *= 8  # the end is now never the likeliest word for long
    found = search(toy, beam=2, max_words=3)[0]
    assert found and all(len(h.words) <= 3 for h in found)
    for h in found:
        assert h.log_probability == pytest.approx(toy.log_prob(0, h.words), abs=1e-4)


def test_no_photos_no_sentences() -> None:
    toy = Toy(0)
    state, start = toy.start([])
    assert beam_search(toy.step, state, start, SearchOptions(end=END)) == []
    assert not toy.batches


def test_half_precision_scores_are_summed_in_full() -> None:
    toy = Toy(1)
    state, start = toy.start()

    def half(words: Any, state: ToyState) -> tuple[Any, ToyState, Any]:
        log_probs, state, attention = toy.step(words, state)
        if toy.library == "numpy":
            return log_probs.astype(np.float16), state, attention.astype(np.float16)
        return log_probs.half(), state, attention.half()

    for h in beam_search(half, state, start, SearchOptions(end=END, beam=3, max_words=8))[0]:
        rounded = [torch.tensor(p).half().item() for p in tables_of(toy, h)]
        assert h.log_probability == pytest.approx(sum(rounded), abs=1e-5)
        assert h.attention.dtype == np.float32


def tables_of(toy: Toy, h: Hypothesis) -> list[float]:
    tables, _ = toy.follow(0, h.words)
    return [table[w] for table, w in zip(tables, (*h.words, END), strict=True)]


def test_the_likeliest_words_in_each_place_come_with_the_sentences_that_asked() -> None:
    toy = Toy(3, photos=4)
    found = search(toy, beam=3, max_words=5, choices=2, forbidden=(4,))
    for photo, hypotheses in enumerate(found):
        for h in hypotheses:
            tables, _ = toy.follow(photo, h.words)
            assert len(h.choices) == len(h.words)
            for table, choices in zip(tables, h.choices, strict=False):
                told = [word for word in range(1, toy.vocabulary) if word != 4]
                best = sorted(told, key=table.__getitem__, reverse=True)[:2]
                assert [word for word, _ in choices] == best
                assert [p for _, p in choices] == pytest.approx([table[w] for w in best], abs=1e-5)
    assert all(h.choices == () for h in search(toy, beam=3)[0])


@given(
    size=st.integers(1, 2000),
    count=st.integers(1, 12),
    seed=st.integers(0, 10_000),
    never=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_greatest_are_found_among_blocks(
    size: int, count: int, seed: int, never: float
) -> None:
    draw = np.random.default_rng(seed)
    array = draw.normal(size=(2, 3, size)).astype(np.float32)
    array[draw.random(array.shape) < never] = -np.inf
    count = min(count, size)
    values, index = topk(array, count)
    assert np.array_equal(values, -np.sort(-array, -1)[..., :count])
    assert np.array_equal(np.take_along_axis(array, index, -1), values)
    assert all(len(set(row)) == count for row in index.reshape(-1, count).tolist())
