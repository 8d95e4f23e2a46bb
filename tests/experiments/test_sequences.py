"""Sequences in, sequences out: the same decoder, and what it can learn in seconds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from captioner import CaptionerError
from captioner.model.config import DecoderConfig
from experiments import plot, sequences
from experiments.sequences import Task, Translator, batches, digits, in_words, learn, reverse


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (407, "four hundred and seven"),
        (1000, "one thousand"),
        (21_050, "twenty one thousand and fifty"),
        (999_999, "nine hundred and ninety nine thousand nine hundred and ninety nine"),
    ],
)
def test_numbers_in_words(number: int, said: str) -> None:
    assert " ".join(in_words(number)) == said


def test_every_number_has_its_own_words() -> None:
    rng = np.random.default_rng(0)
    numbers = {*range(2000), *rng.integers(0, 1_000_000, 3000).tolist()}
    assert len({tuple(in_words(n)) for n in numbers}) == len(numbers)


def test_batches_have_one_length_and_nothing_held_out() -> None:
    rng = np.random.default_rng(0)
    held_out = {digits(rng) for _ in range(200)}
    for pairs in batches(digits, held_out, 20, 8, rng):
        assert len(pairs) == 8 and len({len(source) for source, _ in pairs}) == 1
        assert not held_out & set(pairs)


def test_it_learns_to_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short sequences, three hundred steps; new ones come out right."""
    monkeypatch.setattr(sequences, "LONGEST", 4)
    config = DecoderConfig(reading="gru", size=48, hidden=64)
    model, right = learn(reverse, config, 300, batch=32)
    assert right > 0.8
    [found] = model.translate([("cat", "dog", "man")])
    assert found.attention.shape == (len(found.words), 3)
    untrained = Translator(config, model.source, model.target).eval()
    pairs = [(("cat", "dog"), ("dog", "cat")), (("a", "a"), ("a", "a"))]
    assert sequences.accuracy(untrained, pairs) == 0


def test_a_context_without_words_cannot_tell_them_in_order() -> None:
    """The mean of the words is the same in any order: neither kind can reverse it."""
    torch.manual_seed(0)
    source = sequences.Vocabulary(sequences.WORDS, ("text",))
    for kind in ("context", "feedback", "peek"):
        model = Translator(DecoderConfig(kind=kind, size=8, hidden=8), source, source).eval()  # type: ignore[arg-type]
        one, other = model.translate([("cat", "dog", "a"), ("a", "cat", "dog")])
        assert one.words == other.words


def test_what_cannot_be_asked() -> None:
    with pytest.raises(
        CaptionerError, match=r"kind: .*'context', 'feedback', 'peek' or 'attention'"
    ):
        sequences.main(Task.reverse, kind="transformer")
    with pytest.raises(CaptionerError, match="--output: a decoder of kind peek has no attention"):
        sequences.main(Task.reverse, kind="peek", reading="none", output=sequences.Path("x.png"))


def test_what_draws_is_asked_for_before_anything_is_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    with pytest.raises(CaptionerError, match="needs matplotlib: pip install"):
        sequences.main(sequences.Task.reverse, steps=10**9, output=tmp_path / "reverse.png")
