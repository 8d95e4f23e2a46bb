"""Sentences are put together as nltk does it, without its import."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize.treebank import TreebankWordDetokenizer

from captioner import vocabulary
from captioner.assets import EMBEDDED
from captioner.notes import read_notes
from captioner.vocabulary import detokenize


def nltks(words: list[str]) -> str:
    text = TreebankWordDetokenizer().detokenize(words)
    return text[:1].upper() + text[1:] + "." if text else ""


SPLIT = (  # noqa: SIM905
    "can not d 'ye gim me lem gon na got ta more 'n wan 't is was it he i n't 'll 're 've 's 'm"
    " 'd , do ca we'll o'clock rock'n'roll 'em dogs' t-shirt 3 ' '' a1' 'a x"
).split()


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(SPLIT), max_size=12))
def test_where_words_join(words: list[str]) -> None:
    written = [word for word in words if word not in ("'", "''")]  # no caption's token
    assert detokenize(written) == nltks(written)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.text("abnst'-,. 1%$&*+@#<>{}~\"é’", max_size=40))
def test_whatever_a_caption_may_hold(text: str) -> None:
    words = vocabulary.tokenize(text)
    assert detokenize(words) == nltks(words)


def test_every_pair_of_the_embedded_vocabulary_that_is_no_plain_word() -> None:
    words = read_notes(EMBEDDED).vocabulary.words[6:]
    odd = [word for word in words if not word.isalpha()]
    assert len(odd) > 30
    for one in odd:
        for other in (*odd, "dog", "is"):
            for pair in ([one, other], [other, one, "dog"]):
                assert detokenize(pair) == nltks(pair)


def test_captions_of_the_data(shared: Path) -> None:
    seen = 0
    for file in sorted((shared / "data").glob("captions_*.json")):
        for entry in json.loads(file.read_text())["annotations"][::7]:
            words = vocabulary.tokenize(entry["caption"])
            assert detokenize(words) == nltks(words)
            seen += 1
    assert seen > 1000
