"""Tokens and sentences: what comes in, what goes out, and what stays the same on the way."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner.vocabulary import Vocabulary, detokenize, tokenize

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("A dog runs across the grass.", "a dog runs across the grass"),
        ("Two men, one in red , talk!", "two men , one in red , talk"),
        ("The dog's ball isn't here", "the dog 's ball is n't here"),
        ("They’re on a man’s bike", "they 're on a man 's bike"),
        ('A sign that reads "STOP" (red).', "a sign that reads stop red"),
        ("a black-and-white cat; 3 kittens: asleep", "a black-and-white cat 3 kittens asleep"),
        ("A red/blue kite...", "a red blue kite"),
        ("  \n ", ""),
        (",,,", ""),
        ("<unk> <coco> <end>", "unk coco end"),
    ],
)
def test_tokenize(sentence: str, tokens: str) -> None:
    assert tokenize(sentence) == tokens.split()


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [
        ("a dog runs across the grass", "A dog runs across the grass."),
        ("two men , one in red , talk", "Two men, one in red, talk."),
        ("the dog 's ball is n't here", "The dog's ball isn't here."),
        ("they can not see", "They cannot see."),
        ("3 dogs", "3 dogs."),
        ("", ""),
    ],
)
def test_detokenize(tokens: str, sentence: str) -> None:
    assert detokenize(tokens.split()) == sentence


@settings(deadline=None, derandomize=True)
@given(st.text())
def test_tokens_are_plain_words(text: str) -> None:
    """No special word can be read, so none can enter a vocabulary; nothing is left to split."""
    tokens = tokenize(text)
    for token in tokens:
        assert token == "," or re.search("[a-z0-9]", token)
        assert token == token.lower() and token.isascii() and " " not in token
        assert not set(token) & set('.!?;:"()[]<>')
    assert tokens[-1:] != [","]


@settings(deadline=None, derandomize=True)
@given(st.text(st.characters(codec="ascii")))
def test_what_is_read_back_from_a_sentence_written_stays(text: str) -> None:
    """A caption that is tokenized, written out and tokenized again no longer changes."""
    once = tokenize(detokenize(tokenize(text)))
    assert tokenize(detokenize(once)) == once


@settings(deadline=None, derandomize=True)
@given(st.lists(WORD, min_size=1, max_size=12))
def test_plain_words_come_back(words: list[str]) -> None:
    known = [w for w in words if tokenize(w) == [w]]  # "cannot" and the like are two words
    sentence = detokenize(known)
    assert not known or tokenize(sentence) == known or "not" in known
    assert re.fullmatch(r"[A-Z0-9][a-z0-9 ]*\.|", sentence)


def test_ids_and_words() -> None:
    vocabulary = Vocabulary(["a", "dog"], ["coco", "flickr8k"])
    assert vocabulary.words[:5] == ("<pad>", "<end>", "<unk>", "<coco>", "<flickr8k>")
    assert len(vocabulary) == 7
    assert vocabulary.encode(["a", "zebra", "dog"]) == [5, vocabulary.unknown, 6]
    assert vocabulary.decode([5, 6]) == ["a", "dog"]
    assert vocabulary.start("flickr8k") == 4
    assert set(vocabulary.never_written) == {0, 2, 3, 4}
    with pytest.raises(KeyError):
        vocabulary.start("poems")


@settings(deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=12), st.integers(1, 4))
def test_built_from_counts(sentences: list[list[str]], minimum: int) -> None:
    everything = [word for sentence in sentences for word in sentence]
    vocabulary = Vocabulary.build(sentences, ["coco"], minimum)
    words = list(vocabulary.words[4:])
    assert set(words) == {w for w in everything if everything.count(w) >= minimum}
    assert [everything.count(w) for w in words] == sorted(
        (everything.count(w) for w in words), reverse=True
    )
    for sentence in sentences:
        back = vocabulary.decode(vocabulary.encode(sentence))
        assert back == [w if w in words else "<unk>" for w in sentence]
    assert vocabulary.words == Vocabulary.build(sentences[::-1], ["coco"], minimum).words
