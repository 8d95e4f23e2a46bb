"""Beam search in numpy: against the enumeration of all sentences, and against the one in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.export.beams import Search, Sentence, State, beam_search
from captioner.export.runner import Array
from captioner.search import Hypothesis, SearchOptions
from captioner.search import beam_search as torch_search
from tests.search.toy import END, Toy, ToyState

EXHAUSTIVE = 700  # beams: more than there are beginnings of sentences below
RULES: list[dict[str, Any]] = [
    {},
    {"forbidden": (1, 2)},
    {"forbidden": (1,), "min_words": 3},
    {"not_last": (1, 3, 5)},
    {"no_repeat": 1},
    {"no_repeat": 2, "not_last": (2,), "min_words": 2},
]


def search(toy: Toy, **rules: Any) -> list[list[Sentence]]:
    """What numpy's search finds about the photos of a toy."""

    def step(words: Array, state: State) -> tuple[Array, Array, State]:
        photos, hidden = state.photos["photo"], state.beams["hidden"]
        before = ToyState(torch.from_numpy(hidden).flatten(0, 1), torch.from_numpy(photos))
        log_probs, after, attention = toy.step(torch.from_numpy(words).flatten(), before)
        shaped = [part.unflatten(0, words.shape).numpy() for part in (log_probs, attention)]
        beams = {"hidden": after.hidden.unflatten(0, words.shape).numpy()}
        return shaped[0].astype(np.float32), shaped[1], State(state.photos, beams)

    state, start = toy.start()
    begun = State({"photo": state.photo.numpy()}, {"hidden": state.hidden[:, None].numpy()})
    usual = {"forbidden": (), "not_last": (), "no_repeat": 0, "min_words": 0, "length_penalty": 0.0}
    return beam_search(step, begun, start.numpy(), Search(end=END, **usual | rules))


def torch_finds(toy: Toy, **rules: Any) -> list[list[Hypothesis]]:
    options = SearchOptions(end=END, exact_stop=False, **rules)
    return torch_search(toy.step, *toy.start(), options)


def obeys(words: tuple[int, ...], rule: dict[str, Any]) -> bool:
    n = rule.get("no_repeat", 0)
    grams = [words[i : i + n] for i in range(len(words) - n + 1)] if n else []
    return (
        len(words) >= rule.get("min_words", 0)
        and not set(words) & set(rule.get("forbidden", ()))
        and words[-1:] not in [(word,) for word in rule.get("not_last", ())]
        and len(set(grams)) == len(grams)
    )


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_wide_beam_finds_the_best_of_all_sentences(rule: dict[str, Any]) -> None:
    toy = Toy(7, photos=3)
    found = search(toy, beam=EXHAUSTIVE, n_best=12, max_words=4, **rule)
    for photo in range(3):
        allowed = [words for words in toy.sentences(4) if obeys(words, rule)]
        best = sorted(allowed, key=lambda words: -toy.log_prob(photo, words))[:12]
        assert [sentence.words for sentence in found[photo]] == best
        for sentence in found[photo]:
            tables, attention = toy.follow(photo, sentence.words)
            own = [table[word] for table, word in zip(tables, sentence.words, strict=False)]
            assert sentence.word_log_probabilities == pytest.approx(own, abs=1e-5)
            total = toy.log_prob(photo, sentence.words)
            assert sentence.log_probability == pytest.approx(total, abs=1e-4)
            np.testing.assert_allclose(sentence.attention, attention, atol=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    beam=st.integers(1, 5),
    n_best=st.integers(1, 5),
    rules=st.fixed_dictionaries(
        {
            "length_penalty": st.sampled_from([0.0, 0.7, 1.3]),
            "max_words": st.integers(3, 7),
            "min_words": st.integers(0, 3),
            "no_repeat": st.integers(0, 2),
            "forbidden": st.sets(st.integers(1, 2)).map(tuple),
            "not_last": st.sets(st.integers(3, 5)).map(tuple),
        }
    ),
)
def test_narrow_beams_find_what_those_in_torch_find(
    seed: int, beam: int, n_best: int, rules: dict[str, Any]
) -> None:
    """Greedy among them; photos leave at different steps."""
    toy = Toy(seed, photos=4)
    sizes = {"beam": beam, "n_best": min(n_best, beam)}
    ours, theirs = (find(toy, **sizes, **rules) for find in (search, torch_finds))
    for photo in range(4):
        assert [s.words for s in ours[photo]] == [h.words for h in theirs[photo]]
        for one, other in zip(ours[photo], theirs[photo], strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
            np.testing.assert_allclose(one.attention, other.attention, atol=1e-6)


def test_photos_leave_when_they_are_finished() -> None:
    toy = Toy(3, photos=6, sharpness=5.0)
    search(toy, beam=2, n_best=2, max_words=12)
    assert toy.batches[:2] == [(6, 6), (12, 6)]
    assert all(rows == 2 * photos for rows, photos in toy.batches[1:])
    assert len({photos for _, photos in toy.batches}) >= 3


def test_no_photos_and_no_sentence() -> None:
    assert search(Toy(0, photos=0), beam=2, n_best=2, max_words=3) == []
    impossible = {"no_repeat": 1, "min_words": 4, "max_words": 5}  # only three words exist
    assert search(Toy(1, vocabulary=4, photos=2), beam=3, n_best=3, **impossible) == [[], []]
