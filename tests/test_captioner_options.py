"""What a sentence must hold and must not: options that the captioner follows, or refuses."""

import dataclasses
from typing import Any

import pytest
from PIL import Image

from captioner import Captioner, CaptionerError, ImageError, Options
from captioner.engines.torch import TorchEngine
from tests.tiny import WORDS, same, tiny_model


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(beam=1),
        Options(beam=8, alternatives=7),
        Options(length_penalty=0.0, consensus=False),
        Options(min_words=9, max_words=9),
        Options(temperature=1.5, alternatives=20),
        Options(temperature=0.7, top_p=0.8, seed=3),
    ],
)
def test_only_words_are_written(
    tiny_captioner: Captioner, pictures: list[Image.Image], options: Options
) -> None:
    """Although the model would rather write `<unk>`, padding and start words."""
    for caption in tiny_captioner.caption_many(pictures, options=options):
        for one in (caption, *caption.alternatives):
            assert set(one.words) <= set(WORDS)
            assert options.min_words <= len(one.words) <= options.max_words
            assert "<" not in one.text
            if one.words:
                assert one.text[0] == one.text[0].upper() and one.text.endswith(".")
                assert " ," not in one.text and " ." not in one.text
                assert one.words[-1] not in ("a", "the", "of", "with", "and", "on", ",")


def test_no_three_words_come_twice(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    for caption in tiny_captioner.caption_many(pictures, options=Options(min_words=18)):
        threes = list(zip(caption.words, caption.words[1:], caption.words[2:], strict=False))
        assert len(set(threes)) == len(threes)


def test_prefix(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    caption = tiny_captioner.caption(pictures[0], Options(prefix="Two dog's", min_words=5))
    assert caption.words[:3] == ("two", "dog", "'s") and len(caption.words) >= 5
    assert caption.text.startswith("Two dog's ")


def test_include(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    """A word that the usual sentences lack, and two at once in whatever order."""
    usual = tiny_captioner.caption(pictures[2], Options(alternatives=4))
    said = {w for one in (usual, *usual.alternatives) for w in one.words}
    one, other = [word for word in WORDS if word not in {*said, ",", "n't", "'s"}][:2]
    caption = tiny_captioner.caption(
        pictures[2], Options(include=(one, other.upper()), alternatives=2)
    )
    for found in (caption, *caption.alternatives):
        assert {one, other} <= set(found.words)


def test_groups_keep_apart(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    """Three beams become four, that each group has two; none stays where all were before."""
    plain = Options(beam=3, alternatives=2, consensus=False)
    alike, apart = (
        tiny_captioner.caption(pictures[2], dataclasses.replace(plain, beam=beam, groups=groups))
        for beam, groups in ((4, 1), (3, 2))
    )
    assert [c.text for c in apart.alternatives] != [c.text for c in alike.alternatives]


def test_top_k_of_one_is_greedy(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    drawn = [
        tiny_captioner.caption(pictures[1], Options(temperature=1.0, top_k=1, seed=s))
        for s in (1, 2)
    ]
    greedy = tiny_captioner.caption(pictures[1], Options(beam=1, consensus=False))
    assert {c.text for c in drawn} == {greedy.text}


def test_avoid(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    usual = tiny_captioner.caption(pictures[2])
    avoided = (*usual.words[:2], "Zebras", "")
    caption = tiny_captioner.caption(pictures[2], Options(avoid=avoided))
    assert len(usual.words) > 1 and not set(caption.words) & set(avoided)
    upper = Options(avoid=tuple(word.upper() for word in avoided))
    assert same(caption, tiny_captioner.caption(pictures[2], upper))


def test_more_alternatives_than_beams(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    caption = tiny_captioner.caption(pictures[0], Options(beam=2, alternatives=4))
    assert same(caption, tiny_captioner.caption(pictures[0], Options(beam=5, alternatives=4)))


def test_sampling_is_reproducible(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    def texts(seed: int) -> list[str]:
        options = Options(temperature=1.0, seed=seed, alternatives=3)
        captions = tiny_captioner.caption_many(pictures, options=options)
        return [one.text for c in captions for one in (c, *c.alternatives)]

    assert texts(1) == texts(1) != texts(2)
    assert len(set(texts(1))) > 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"style": "poem"}, "style must be one of coco, flickr8k, not 'poem'"),
        (
            {"prefix": "a zebra"},
            "the start of the sentence: the model does not know the word 'zebra'; choose another",
        ),
        (
            {"prefix": "a Zwölf, dog"},
            "the start of the sentence: the model does not know the word 'zwölf'; choose another",
        ),
        (
            {"prefix": "a 犬"},
            "the start of the sentence: the model does not know the word '犬'; choose another",
        ),
        (
            {"include": ("zebra",)},
            "the words to include: the model does not know the word 'zebra'; choose another",
        ),
        (
            {"prefix": "a dog", "max_words": 1},
            "max_words must leave room for the start of the sentence",
        ),
        ({"avoid": WORDS, "min_words": 1}, "no sentence obeys these options"),
    ],
)
def test_options_it_cannot_follow(
    tiny_captioner: Captioner, pictures: list[Image.Image], options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CaptionerError, match=said) as error:
        tiny_captioner.caption(pictures[0], Options(**options))
    assert not isinstance(error.value, ImageError)


def test_wrong_arguments(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    for size in (0, 2.0, True, "4"):
        with pytest.raises(CaptionerError, match="batch_size must be a whole number from 1 on"):
            tiny_captioner.caption_many(pictures, batch_size=size)  # type: ignore[arg-type]
    with pytest.raises(CaptionerError, match="errors must be 'raise' or 'return', not 'ignore'"):
        tiny_captioner.caption_many(pictures, errors="ignore")  # type: ignore[call-overload]
    with pytest.raises(CaptionerError, match="there is no option 'beams'; there are beam, "):
        tiny_captioner.caption_many(pictures, beams=3)
    with pytest.raises(CaptionerError, match=r"options must be captioner\.Options, not 3"):
        tiny_captioner.caption(pictures[0], 3)  # type: ignore[arg-type]
    for device in ("banana", "cuda:99"):
        with pytest.raises(CaptionerError, match=f"device '{device}' cannot be used"):
            TorchEngine(tiny_model(), device=device)


def test_options_by_name(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    for options in (Options(beam=3, min_words=4), Options(beam=7, min_words=4)):
        asked = tiny_captioner.caption(pictures[0], Options(min_words=4), beam=options.beam)
        assert same(asked, tiny_captioner.caption(pictures[0], options))
    asked, *_ = tiny_captioner.caption_many(pictures, beam=3, alternatives=2)
    assert len(asked.alternatives) == 2
    with pytest.raises(CaptionerError, match="beam must be a whole number"):
        tiny_captioner.caption(pictures[0], beam=3.0)
