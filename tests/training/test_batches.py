"""What is dealt when: once an epoch, by seed and step alone, to any number of processes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.errors import CaptionerError
from captioner.training.batches import CaptionBatches, Order, Share, TextBatches, pad
from captioner.training.data import Example, StyledSentence
from captioner.training.text import SentenceAttributes
from captioner.vocabulary import Vocabulary

WORDS = "a dog cat runs on the grass red"
VOCABULARY = Vocabulary(WORDS.split(), ("coco", "flickr8k"))
LENGTHS = st.lists(st.integers(1, 20), min_size=1, max_size=300)


@settings(deadline=None, derandomize=True)
@given(LENGTHS, st.integers(1, 40), st.integers(0, 9), st.integers(0, 3))
def test_no_photo_twice_an_epoch(lengths: list[int], batch: int, seed: int, epoch: int) -> None:
    order = Order(lengths, batch, seed)
    first = epoch * order.batches
    dealt = [order.at(step).tolist() for step in range(first, first + order.batches)]
    flat = [i for items in dealt for i in items]
    assert len(set(flat)) == len(flat) > len(lengths) - order.batch
    assert all(len(items) == min(batch, len(lengths)) for items in dealt)
    if len(lengths) % order.batch == 0:
        assert sorted(flat) == list(range(len(lengths)))


@settings(deadline=None, derandomize=True)
@given(LENGTHS, st.integers(1, 40), st.integers(0, 9))
def test_seed_and_step_decide(lengths: list[int], batch: int, seed: int) -> None:
    once, again = Order(lengths, batch, seed), Order(lengths, batch, seed)
    steps = range(3 * once.batches)
    forth = [once.at(step).tolist() for step in steps]
    back = [again.at(step).tolist() for step in reversed(steps)]
    assert forth == back[::-1]


def test_epochs_and_seeds_differ_and_batches_hold_like_lengths() -> None:
    lengths = np.random.default_rng(0).integers(3, 21, 640).tolist()
    order = Order(lengths, 32, 0)
    epochs = [[order.at(e * 20 + i).tolist() for i in range(20)] for e in range(2)]
    assert epochs[0] != epochs[1] and Order(lengths, 32, 1).at(0).tolist() != epochs[0][0]
    spread = [np.ptp(np.array(lengths)[batch]) for batch in epochs[0]]
    assert np.mean(spread) < 3
    shortest = [np.array(lengths)[batch].min() for batch in epochs[0]]
    assert shortest != sorted(shortest)  # the batches themselves come in no order


def test_nothing_to_deal() -> None:
    with pytest.raises(CaptionerError, match="no photo or sentence is left"):
        Order([], 4, 0)


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(), min_size=5, max_size=30), st.integers(1, 5))
def test_shares_partition_a_batch(items: list[int], world: int) -> None:
    shares = [Share(rank, world).of(items) for rank in range(world)]
    assert sorted(i for share in shares for i in share) == sorted(items)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Share(0, 1).of(items) == items


IDS = st.lists(st.integers(1, len(VOCABULARY) - 1), max_size=6)


@settings(deadline=None, derandomize=True)
@given(st.lists(IDS, min_size=1, max_size=5))
def test_pad(sentences: list[list[int]]) -> None:
    """Word t is followed by target t; `<unk>` and padding are no targets."""
    starts = [VOCABULARY.start("coco")] * len(sentences)
    captions = pad(starts, sentences, VOCABULARY)
    assert captions.words.dtype == captions.targets.dtype == torch.long
    for words, targets, ids in zip(captions.words, captions.targets, sentences, strict=True):
        length = len(ids) + 1
        assert words[:length].tolist() == [starts[0], *ids]
        wanted = [-1 if i == VOCABULARY.unknown else i for i in ids]
        assert targets[:length].tolist() == [*wanted, VOCABULARY.end]
        assert (words[length:] == VOCABULARY.pad).all() and (targets[length:] == -1).all()
    assert not (captions.targets == VOCABULARY.unknown).any()


def example(*captions: str, style: str = "coco") -> Example:
    return Example("photo.jpg", style, tuple(tuple(c.split()) for c in captions), captions)


def sentences(rows: torch.Tensor) -> list[str]:
    return [" ".join(w for w in VOCABULARY.decode(row.tolist()) if w != "<pad>") for row in rows]


def test_captions_of_a_photo_all_come_before_one_comes_twice() -> None:
    examples = [
        example("a dog", "a cat", "a zebra"),
        example("red grass on the dog", style="flickr8k"),
    ]
    batches = CaptionBatches(examples, VOCABULARY, count=4, max_words=3)
    drawn = batches.draw(np.array([1, 0]), np.random.default_rng(0))
    texts = sentences(drawn.words)
    assert texts[:4] == ["<flickr8k> red grass on"] * 4
    assert set(texts[4:]) == {"<coco> a dog", "<coco> a cat", "<coco> a <unk>"}
    assert len({*texts[4:7]}) == 3
    assert batches.lengths == [2, 3]


def test_shares_of_captions_are_the_rows_of_the_whole() -> None:
    examples = [example("a dog", "the cat", "red grass") for _ in range(5)]
    batches = CaptionBatches(examples, VOCABULARY, count=2, max_words=9)
    photos = np.array([3, 1, 4, 0, 2])
    whole = batches.draw(photos, np.random.default_rng(7)).words.view(5, 2, -1)
    for rank in range(2):
        part = batches.draw(photos, np.random.default_rng(7), Share(rank, 2)).words
        assert torch.equal(part.view(-1, 2, part.shape[1]), whole[rank::2])


def test_shares_of_sentences_are_the_rows_of_the_whole() -> None:
    told = [StyledSentence("coco", VOCABULARY.words[5 : 5 + n]) for n in (2, 3, 4, 5)] * 3
    attributes = SentenceAttributes(told, VOCABULARY, ("dog", "grass", "red"), shown=3)
    batches = TextBatches(told, VOCABULARY, attributes, batch=5, seed=1)
    again = TextBatches(told, VOCABULARY, attributes, batch=5, seed=1)
    for step in range(4):
        whole = batches.at(step)
        parts = [again.at(step, Share(rank, 2)) for rank in range(2)]
        for rank, part in enumerate(parts):
            own = slice(rank, None, 2)
            assert sentences(part.captions.words) == sentences(whole.captions.words)[own]
            assert torch.equal(part.attributes, whole.attributes[own])
            assert torch.equal(part.certainty, whole.certainty[own])


def test_attribute_words_of_a_sentence() -> None:
    """Its own are surer than those made up; padding is 0 and comes last; the draw repeats."""
    told = [
        StyledSentence("coco", tuple(s.split())) for s in ("a dog on grass", "red cat", "the")
    ] * 4
    known = ("dog", "grass", "red", "cat")
    attributes = SentenceAttributes(told, VOCABULARY, known, shown=6)
    rng = np.random.default_rng(0)
    own, other = [], []
    for _ in range(300):
        ids, certainty = attributes.draw(0, rng)
        assert list(certainty) == sorted(certainty, reverse=True)
        held = certainty > 0
        assert not ids[~held].any() and len(set(ids[held])) == held.sum()
        for word, level in zip(VOCABULARY.decode(ids[held]), certainty[held], strict=True):
            assert word in known and 0 < level <= 1
            (own if word in ("dog", "grass") else other).append(level)
    assert np.mean(own) > 2 * np.mean(other)
    assert 0.5 * 600 < len(own) < 0.95 * 600  # some are dropped
    first, second = (attributes.draw(0, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])


def test_without_attribute_words_there_is_padding_alone() -> None:
    told = [StyledSentence("coco", ("a", "dog"))]
    for known in ((), ("cat",)):
        attributes = SentenceAttributes(told, VOCABULARY, known, shown=2)
        ids, certainty = attributes.draw(0, np.random.default_rng(0))
        assert ids.tolist() == [0, 0] and certainty.tolist() == [0, 0]
