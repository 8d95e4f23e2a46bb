"""What an option may be, and what is said of one that may not."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import captioner
from captioner import CaptionerError, Options
from captioner.options import ABOUT, about

NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"beam": 0}, "beam must be a whole number from 1 to 100, not 0"),
        ({"beam": 3.0}, "beam must be a whole number from 1 to 100, not 3.0"),
        ({"beam": "3"}, "beam must be a whole number from 1 to 100, not '3'"),
        ({"beam": True}, "beam must be a whole number from 1 to 100, not True"),
        ({"beam": 101}, "beam must be a whole number from 1 to 100, not 101"),
        ({"max_words": 0}, "max_words must be a whole number from 1 to 100, not 0"),
        ({"min_words": 30}, "min_words must not exceed max_words (20), not 30"),
        ({"min_words": -1}, "min_words must be a whole number from 0 to 100, not -1"),
        ({"alternatives": None}, "alternatives must be a whole number from 0 to 99, not None"),
        ({"length_penalty": -0.5}, "length_penalty must be a number from 0 to 10, not -0.5"),
        ({"length_penalty": NAN}, "length_penalty must be a number from 0 to 10, not nan"),
        ({"consensus": 1}, "consensus must be True or False, not 1"),
        ({"temperature": -1.0}, "temperature must be a number from 0 to 100, not -1.0"),
        ({"temperature": float("inf")}, "temperature must be a number from 0 to 100, not inf"),
        ({"temperature": False}, "temperature must be a number from 0 to 100, not False"),
        ({"top_p": 0.0}, "top_p must be a number above 0 and at most 1, not 0.0"),
        ({"top_p": 1.1}, "top_p must be a number above 0 and at most 1, not 1.1"),
        ({"seed": -1}, "seed must be a whole number from 0 to 18,446,744,073,709,551,615, not -1"),
        ({"seed": 2**64}, "seed must be a whole number from 0 to 18,446,744,073,709,551,615"),
        ({"prefix": None}, "prefix must be a text, not None"),
        ({"prefix": "a" * 501}, "prefix must have at most 500 characters, not 501"),
        ({"include": "dog"}, "include must be a tuple of words, not the string 'dog'"),
        ({"include": {"dog"}}, "include must be a tuple of words, not {'dog'}"),
        ({"avoid": (1,)}, "avoid must be a tuple of words, not (1,)"),
        ({"avoid": ("a" * 101,)}, "avoid: a word must have at most 100 characters, not 101"),
        ({"avoid": ("a",) * 1001}, "avoid must hold at most 1000 words, not 1,001"),
        ({"include": ("dog",), "temperature": 1.0}, "include needs a beam search"),
        ({"include": ("dog",), "groups": 2}, "include and groups cannot be searched together"),
        ({"include": ("dog",), "avoid": ("Dog",)}, "include and avoid both hold 'dog'"),
        ({"choices": 21}, "choices must be a whole number from 0 to 20, not 21"),
    ],
)
def test_what_no_search_can_follow_is_refused_when_it_is_made(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CaptionerError) as error:
        Options(**options)
    assert str(error.value).startswith(said)


def test_numbers_of_numpy_and_lists_are_taken_as_what_they_are() -> None:
    options = Options(beam=np.int64(3), temperature=np.float32(0.5), avoid=["dog"])  # type: ignore[arg-type]
    assert options == Options(beam=3, temperature=0.5, avoid=("dog",))
    assert [type(v) for v in (options.beam, options.temperature, options.avoid)] == [
        int,
        float,
        tuple,
    ]
    assert hash(options) == hash(Options(beam=3, temperature=0.5, avoid=("dog",)))


def test_every_option_has_limits_its_default_and_help() -> None:
    for field in dataclasses.fields(Options):
        what = about(field.name)
        assert what.default == field.default == getattr(Options(), field.name)
        assert what.help.endswith(".") and len(what.help) < 90
    assert list(ABOUT) == [field.name for field in dataclasses.fields(Options)]


def test_public_names_are_listed() -> None:
    assert set(captioner.__all__) <= set(dir(captioner))
    for name in captioner.__all__:
        assert getattr(captioner, name) is not None
