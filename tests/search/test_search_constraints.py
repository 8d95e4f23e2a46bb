"""Every rule about sentences, checked against a filter on the list of all sentences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import CaptionerError
from captioner.search import Hypothesis, SearchOptions, beam_search, sample
from captioner.search.candidates import diverse
from tests.search.toy import END, Toy, slow_beam, slow_diverse

MAX_WORDS = 4
EXHAUSTIVE = 700

RULES: list[dict[str, object]] = [
    {"forbidden": (1, 2)},
    {"forbidden": (1, END)},  # the end stays possible
    {"min_words": 2},
    {"min_words": 4},
    {"prefix": (3, 5)},
    {"prefix": (1, 2, 3, 4)},
    {"prefix": (3, 3), "no_repeat": 1},
    {"prefix": (2,), "forbidden": (2,)},
    {"no_repeat": 1},
    {"no_repeat": 2},
    {"no_repeat": 3},
    {"not_last": (1, 3, 5)},
    {"not_last": (2, 3, 4), "min_words": 1, "forbidden": (1,)},
    {"required": (4,)},
    {"required": (4, 1, 4)},
    {"required": (5, 3, 1)},
    {"required": (3, 1), "prefix": (3,)},
    {"required": (3,), "prefix": (3, 2)},
    {"required": (2, 5), "not_last": (2, 3), "no_repeat": 2, "min_words": 3, "forbidden": (1,)},
]


def obeys(words: tuple[int, ...], rule: dict[str, object]) -> bool:
    """Judge a whole sentence, as a reader of the docstring would."""
    options = SearchOptions(end=END, **rule)
    start, n = len(options.prefix), options.no_repeat
    grams = [words[i : i + n] for i in range(len(words) - n + 1)] if n else []
    own = [i for i in range(len(grams)) if i + n > start]  # the prefix may repeat itself
    return (
        words[:start] == options.prefix
        and not set(words[start:]) & set(options.forbidden)
        and set(options.required) <= set(words)
        and len(words) >= options.min_words
        and not (words and words[-1] in options.not_last)
        and not any(grams[i] in grams[:i] for i in own)
    )


def search(toy: Toy, **settings: object) -> list[list[Hypothesis]]:
    state, start = toy.start()
    return beam_search(toy.step, state, start, SearchOptions(end=END, **settings))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_wide_beam_finds_the_best_sentences_that_obey(rule: dict[str, object]) -> None:
    toy = Toy(7, photos=2)
    found = search(toy, beam=EXHAUSTIVE, n_best=12, max_words=MAX_WORDS, length_penalty=0.8, **rule)
    for photo in range(2):
        allowed = [s for s in toy.sentences(MAX_WORDS) if obeys(s, rule)]
        ranked = sorted(
            allowed, key=lambda s: toy.log_prob(photo, s) / (len(s) + 1) ** 0.8, reverse=True
        )
        assert [h.words for h in found[photo]] == ranked[:12]
        assert len(allowed) < len(toy.sentences(MAX_WORDS)) and ranked
        for h in found[photo]:
            assert h.log_probability == pytest.approx(toy.log_prob(photo, h.words), abs=1e-4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    beam=st.integers(1, 4),
    rule=st.fixed_dictionaries(
        {
            "min_words": st.integers(0, 3),
            "no_repeat": st.integers(0, 2),
            "forbidden": st.sets(st.integers(1, 2)).map(tuple),
            "prefix": st.lists(st.integers(1, 5), max_size=2).map(tuple),
            "required": st.sets(st.integers(3, 5), max_size=2).map(tuple),
            "not_last": st.sets(st.integers(1, 4)).map(tuple),
        }
    ),
)
def test_narrow_beams_obey_and_equal_the_slow_search(
    seed: int, beam: int, rule: dict[str, object]
) -> None:
    """Photos leave at different steps while the rules follow their own sentences."""
    toy = Toy(seed, photos=3)
    greedy = beam == 1 and not rule["required"]  # stops at its first end: ranked without a penalty
    settings = {"beam": beam, "max_words": 6, "length_penalty": 0.0 if greedy else 0.5}
    options = SearchOptions(end=END, **settings, **rule)

    def may_follow(words: tuple[int, ...], word: int) -> bool:
        if len(words) < len(options.prefix):
            return word == options.prefix[len(words)]
        if word == END:
            return len(words) >= options.min_words and words[-1:] not in [
                (w,) for w in options.not_last
            ]
        grams = [words[i : i + options.no_repeat] for i in range(len(words))]
        repeats = options.no_repeat and (*words, word)[-options.no_repeat :] in grams
        last = len(words) == options.max_words - 1 and word in options.not_last
        return not (repeats or last or word in options.forbidden)

    state, start = toy.start()
    for photo, hypotheses in enumerate(beam_search(toy.step, state, start, options)):
        expected = slow_beam(toy, photo, options, may_follow, options.missing)
        assert [h.words for h in hypotheses] == [e.words for e in expected]
        assert all(obeys(h.words, rule) for h in hypotheses)


@pytest.mark.parametrize("beam", [1, 2, 3])
def test_a_required_word_is_placed_however_few_the_beams(beam: int) -> None:
    toy = Toy(4, vocabulary=40, photos=3)
    for h in (search(toy, beam=beam, max_words=8, required=(33, 17, 25))[b] for b in range(3)):
        assert h and all({33, 17, 25} <= set(one.words) for one in h)


@pytest.mark.parametrize("n_best", [None, 4, 11])
@pytest.mark.parametrize("groups", [2, 3, 6])
@pytest.mark.parametrize("diversity", [0.0, 0.7, 3.0])
def test_diverse_beams_equal_the_slow_search(
    groups: int, diversity: float, n_best: int | None
) -> None:
    for seed in range(4):
        toy = Toy(seed, photos=3)
        settings = {
            "beam": 6, "groups": groups, "diversity": diversity, "max_words": 6, "n_best": n_best,
        }  # fmt: skip
        found = search(toy, **settings)
        options = SearchOptions(end=END, **settings)
        for photo in range(3):
            expected = slow_diverse(toy, photo, options)
            assert [h.words for h in found[photo]] == [e.words for e in expected]
            for h, e in zip(found[photo], expected, strict=True):
                assert h.log_probability == pytest.approx(e.log_prob, abs=1e-4)
                assert e.log_prob == pytest.approx(toy.log_prob(photo, e.words), abs=1e-9)


def test_groups_without_a_price_repeat_one_search_and_with_one_differ() -> None:
    toy = Toy(8, photos=2)
    alone = search(toy, beam=2, max_words=6)
    same = search(toy, beam=6, groups=3, diversity=0.0, max_words=6)
    apart = search(toy, beam=6, groups=3, diversity=4.0, max_words=6)
    for photo in range(2):
        assert [h.words for h in same[photo]] == [h.words for h in alone[photo]]
        first_words = {h.words[:1] for h in apart[photo]}
        assert len(first_words) > len({h.words[:1] for h in alone[photo]})


def test_no_sentence_where_none_can_obey() -> None:
    toy = Toy(1, vocabulary=4, photos=2)
    impossible = {"no_repeat": 1, "min_words": 4, "max_words": 5}  # only three words exist
    assert search(toy, beam=3, **impossible) == [[], []]
    state, start = toy.start()
    drawn = sample(toy.step, state, start, SearchOptions(end=END, **impossible), samples=5)
    assert drawn == [[], []]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"beam": 0}, "beam"),
        ({"max_words": 0}, "max_words"),
        ({"min_words": 9, "max_words": 8}, "min_words"),
        ({"min_words": -1}, "min_words"),
        ({"n_best": 0}, "n_best"),
        ({"groups": 2, "beam": 3}, "groups"),
        ({"groups": 3, "required": (4,)}, "groups"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"temperature": 1e-40}, "temperature"),
        ({"temperature": 1e300}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"length_penalty": -0.5}, "length_penalty"),
        ({"diversity": -1.0}, "diversity"),
        ({"no_repeat": -2}, "no_repeat"),
        ({"prefix": (3, 4), "max_words": 1}, "max_words"),
        ({"prefix": (3,), "required": (3, 4, 5), "max_words": 2}, "max_words"),
        ({"required": (END,)}, "end"),
        ({"required": (4,), "forbidden": (4,)}, "forbidden"),
    ],
)
def test_settings_that_nothing_can_obey_are_refused(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(CaptionerError, match=named):
        SearchOptions(end=END, **wrong)


def test_search_leaves_the_models_own_tensors_alone() -> None:
    fixed = torch.randn(1, 6).log_softmax(-1)
    kept = fixed.clone()

    class Nothing:
        def select(self, rows: torch.Tensor, photos: torch.Tensor | None = None) -> Nothing:
            return self

    def step(words: torch.Tensor, state: Nothing) -> tuple[torch.Tensor, Nothing, torch.Tensor]:
        return fixed.expand(len(words), -1), state, torch.ones(len(words), 1)

    options = SearchOptions(
        end=END, beam=2, forbidden=(1,), min_words=2, not_last=(3,), no_repeat=1, required=(4,)
    )
    beam_search(step, Nothing(), torch.tensor([1]), options)
    assert torch.equal(fixed, kept)


def test_a_dead_beam_takes_no_word_from_the_groups_after_it(library: str) -> None:
    """The first group has one way to go on and a beam without any: only that word costs."""
    never = float("-inf")
    first = [[never, never, never, -1.0, never, never], [never] * 6]
    other = [[-9.0, -1.0, -2.0, -0.5, -3.0, -4.0], [never] * 6]
    scores = np.array([[first, other]], np.float32)
    given = scores if library == "numpy" else torch.from_numpy(scores)
    score, row, word = diverse(given, diversity=5.0, end=0)
    assert word[0, 1].tolist() == [1, 2, 4, 5]  # without its cost 3 would come first
    assert score[0, 1].tolist() == [-1.0, -2.0, -3.0, -4.0] and row[0, 1].tolist() == [2] * 4
