"""Samples against the true distribution: counted with a fixed seed, and tested statistically."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from captioner.errors import CaptionerError
from captioner.search import Hypothesis, SearchOptions, sample, sample_ids
from captioner.search.sampling import draw as pick
from captioner.search.sampling import sharpen
from tests.search.toy import END, PAD, Toy

SAMPLES = 20_000


def draw(
    toy: Toy, seed: int = 0, samples: int = SAMPLES, **settings: object
) -> list[list[Hypothesis]]:
    state, start = toy.start()
    return sample(toy.step, state, start, SearchOptions(end=END, **settings), samples, seed)


def sharpened(
    table: list[float], temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> list[float]:
    """Return the probabilities that the three settings leave, by the book and with lists."""
    weights = [math.exp(p / temperature) for p in table]
    order = sorted(range(len(weights)), key=weights.__getitem__, reverse=True)
    order = order[: top_k or None]
    mass = sum(weights[w] for w in order)
    kept, reached = [], 0.0
    for w in order:
        if reached >= top_p:
            break
        kept.append(w)
        reached += weights[w] / mass
    total = sum(weights[w] for w in kept)
    return [weights[w] / total if w in kept else 0.0 for w in range(len(table))]


def expected(
    toy: Toy, photo: int, max_words: int, **settings: float
) -> dict[tuple[int, ...], float]:
    """Return the probability of every sentence; one of `max_words` words must end."""
    chances = {}
    for words in toy.sentences(max_words):
        tables, _ = toy.follow(photo, words)
        chance = 1.0
        for table, word in zip(tables[:max_words], (*words, END), strict=False):
            chance *= sharpened(table, **settings)[word]
        chances[words] = chance
    return chances


def assert_drawn_from(
    counts: Counter[tuple[int, ...]], chances: dict[tuple[int, ...], float]
) -> None:
    """Pearson's chi-squared test at 1 in 10,000; rare sentences are pooled."""
    assert sum(chances.values()) == pytest.approx(1.0, abs=1e-9)
    total = sum(counts.values())
    assert not [s for s in counts if chances[s] == 0]
    cells = [(counts[s], p * total) for s, p in chances.items() if p * total >= 5]
    rest = (total - sum(seen for seen, _ in cells), total - sum(mean for _, mean in cells))
    if rest[1] >= 5:
        cells.append(rest)
    assert len(cells) > 2
    statistic = sum((seen - mean) ** 2 / mean for seen, mean in cells)
    freedom = torch.tensor((len(cells) - 1) / 2, dtype=torch.float64)
    tail = torch.special.gammaincc(freedom, torch.tensor(statistic / 2, dtype=torch.float64))
    assert tail > 1e-4


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.5},
        {"top_k": 1},
        {"top_k": 3},
        {"top_k": 50},
        {"top_p": 0.6},
        {"top_p": 0.9, "top_k": 4, "temperature": 1.3},
    ],
    ids=str,
)
def test_sentences_come_as_often_as_they_should(settings: dict[str, float]) -> None:
    toy = Toy(29, vocabulary=5, photos=2, sharpness=0.6)
    for photo, drawn in enumerate(draw(toy, max_words=3, **settings)):
        assert len(drawn) == SAMPLES
        counts = Counter(h.words for h in drawn)
        chances = expected(toy, photo, 3, **settings)
        if settings.get("top_k") == 1:
            assert counts == {max(chances, key=chances.__getitem__): SAMPLES}
        else:
            assert_drawn_from(counts, chances)


def test_the_coldest_draws_the_likeliest_word_and_the_hottest_any_that_is_allowed() -> None:
    log_probs = torch.tensor([[-9.0, -2.0, -7.0, -torch.inf], [-torch.inf] * 4])
    for temperature, expected in ((1e-30, [0, 1, 0, 0]), (1e30, [1 / 3, 1 / 3, 1 / 3, 0])):
        for top_k in (0, 3):
            options = SearchOptions(end=END, temperature=temperature, top_k=top_k)
            torch.testing.assert_close(
                sharpen(log_probs, options), torch.tensor([expected, [0.0] * 4]).float()
            )


def test_the_test_of_frequencies_can_fail() -> None:
    toy = Toy(29, vocabulary=5, sharpness=0.6)
    counts = Counter(h.words for h in draw(toy, max_words=3, temperature=1.1)[0])
    with pytest.raises(AssertionError):
        assert_drawn_from(counts, expected(toy, 0, 3))


def test_samples_report_the_models_own_log_probabilities_and_come_best_first() -> None:
    toy = Toy(3, photos=4)
    options = SearchOptions(end=END, length_penalty=0.7)
    drawn = draw(toy, samples=30, max_words=9, temperature=1.7, top_p=0.95, length_penalty=0.7)
    assert len({len(h.words) for photo in drawn for h in photo}) >= 5
    for photo, found in enumerate(drawn):
        assert [options.rank(h) for h in found] == sorted(map(options.rank, found), reverse=True)
        for h in found:
            tables, attention = toy.follow(photo, h.words)
            own = [table[w] for table, w in zip(tables, h.words, strict=False)]
            assert h.word_log_probabilities == pytest.approx(own, abs=1e-5)
            assert h.log_probability == pytest.approx(toy.log_prob(photo, h.words), abs=1e-4)
            np.testing.assert_allclose(h.attention, attention, atol=1e-6, rtol=0)


def test_a_word_is_drawn_for_its_share_of_the_numbers_and_one_of_weight_none_never() -> None:
    weights = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0]])
    uniform = torch.tensor([0.0, 0.1, 0.2499, 0.25, 0.9, 1 - 2**-24])
    assert pick(weights.expand(6, -1), uniform).tolist() == [1, 1, 1, 3, 3, 3]
    assert pick(3 * weights.expand(6, -1), uniform).tolist() == [1, 1, 1, 3, 3, 3]


def test_a_photo_gets_the_same_samples_whatever_lies_beside_it() -> None:
    toy = Toy(5, photos=5)
    options = SearchOptions(end=END, max_words=8)
    together = draw(toy, seed=3, samples=4, max_words=8)
    for photo in range(5):
        state, start = toy.start([photo])
        alone = sample(toy.step, state, start, options, 4, 3)[0]
        assert [h.words for h in alone] == [h.words for h in together[photo]]


def test_a_seed_repeats_and_another_differs() -> None:
    toy = Toy(6, photos=3)
    words = [
        [[h.words for h in found] for found in draw(toy, seed, 20, max_words=8)]
        for seed in (1, 1, 2)
    ]
    assert words[0] == words[1] != words[2]


def test_photos_leave_when_all_their_samples_have_ended() -> None:
    toy = Toy(4, photos=6)
    draw(toy, samples=2, max_words=12)
    assert toy.batches[0] == (6, 6)
    assert all(rows == 2 * photos for rows, photos in toy.batches[1:])
    assert len({photos for _, photos in toy.batches}) >= 3


def test_samples_obey_the_rules() -> None:
    toy = Toy(9, photos=2)
    rules = {
        "prefix": (4, 3),
        "forbidden": (1, 2),
        "min_words": 4,
        "not_last": (5,),
        "no_repeat": 2,
    }
    drawn = draw(toy, samples=300, max_words=6, **rules)
    for found in drawn:
        assert len({h.words for h in found}) > 3
        for h in found:
            pairs = list(zip(h.words, h.words[1:], strict=False))
            assert h.words[:2] == (4, 3) and not {1, 2} & set(h.words)
            assert 4 <= len(h.words) <= 6 and h.words[-1] != 5
            assert len(set(pairs)) == len(pairs)


def test_required_words_are_refused() -> None:
    toy = Toy(9)
    with pytest.raises(CaptionerError, match="beam"):
        draw(toy, required=(3,))
    with pytest.raises(CaptionerError, match="beam"):
        sample_ids(toy.step, *toy.start(), SearchOptions(end=END, required=(3,)))


def test_ids_are_padded_after_the_end_and_rows_belong_to_their_photos(torchs: None) -> None:
    toy = Toy(29, vocabulary=5, photos=2, sharpness=0.6)
    options = SearchOptions(end=END, pad=PAD, forbidden=(PAD,), max_words=3)
    generator = torch.Generator().manual_seed(0)
    ids = sample_ids(toy.step, *toy.start(), options, SAMPLES, generator)
    assert ids.shape == (2, SAMPLES, 3) and ids.dtype == torch.long
    for photo in range(2):
        counts = Counter(map(tuple, ids[photo].tolist()))
        assert_drawn_from(counts, truncated(toy, photo, 3))


def truncated(toy: Toy, photo: int, draws: int) -> dict[tuple[int, ...], float]:
    """Return the probability of every row of `draws` draws, the end among them, PAD never drawn."""
    chances: Counter[tuple[int, ...]] = Counter()
    for words in toy.sentences(draws):
        if PAD in words:
            continue
        tables, _ = toy.follow(photo, words)
        drawn = (*words, END)[:draws]
        chance = 1.0
        for table, word in zip(tables, drawn, strict=False):
            mass = 1 - math.exp(table[PAD])
            chance *= math.exp(table[word]) / mass
        chances[(*drawn, *[PAD] * (draws - len(drawn)))] += chance
    return dict(chances)


def test_ids_of_photos_are_drawn_independently(torchs: None) -> None:
    toy = Toy(29, vocabulary=5, sharpness=0.6)
    state, start = toy.start([0, 0])
    options = SearchOptions(end=END, pad=PAD, max_words=5)
    ids = sample_ids(toy.step, state, start, options, 50, torch.Generator().manual_seed(0))
    assert not torch.equal(ids[0], ids[1])


def test_ids_follow_temperature(torchs: None) -> None:
    toy = Toy(13, photos=3)
    cold = SearchOptions(end=END, max_words=6, temperature=1e-3)
    ids = sample_ids(toy.step, *toy.start(), cold, 4, torch.Generator().manual_seed(0))
    assert (ids == ids[:, :1]).all()
    for photo in range(3):
        words: tuple[int, ...] = ()
        for drawn in ids[photo, 0].tolist():
            table = toy.follow(photo, words)[0][-1]
            assert drawn == max(range(toy.vocabulary), key=table.__getitem__)
            if drawn == END:
                break
            words += (drawn,)
