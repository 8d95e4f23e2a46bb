"""The other forms of a word, against lists made by hand."""

from __future__ import annotations

import pytest

from captioner.forms import forms_of, same_things
from captioner.rules import avoided
from captioner.vocabulary import Vocabulary

KNOWN = set(
    "dog dogs box boxes baby babies man men woman women person people leaf leaves bus buses glass"  # noqa: SIM905
    " glasses sit sits sitting sat run runs running ran ride rides riding rode surf surfs surfed"
    " surfing surfer surfers ski skis skiing plan plans planned planning plane planes stop stops"
    " stopped stopping play plays played playing player a as news new her hers this evening even"
    " carry carries carried carrying smile smiles smiled smiling tie ties tied knee knees sea seas"
    " walk walks walked walking red bed wing wings sing sings singing building buildings build"
    " builds built is it its".split()
)


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("dog", "dogs"),
        ("dogs", "dog"),
        ("boxes", "box"),
        ("baby", "babies"),
        ("people", "person"),
        ("man", "men"),
        ("leaf", "leaves"),
        ("bus", "buses"),
        ("glass", "glasses"),
        ("sat", "sit sits sitting"),
        ("running", "ran run runs"),
        ("ride", "rides riding rode"),
        ("surfing", "surf surfed surfs"),
        ("surfer", "surfers"),
        ("planned", "plan planning plans"),
        ("plane", "planes"),
        ("stop", "stopped stopping stops"),
        ("carried", "carries carry carrying"),
        ("smiling", "smile smiled smiles"),
        ("a", ""),
        ("news", ""),
        ("evening", ""),
        ("this", ""),
        ("red", ""),
        ("wing", "wings"),
        ("sing", "singing sings"),
        ("zebra", ""),
    ],
)
def test_forms(word: str, forms: str) -> None:
    assert forms_of(word, KNOWN) == tuple(forms.split())


def test_what_is_avoided_is_said() -> None:
    vocabulary = Vocabulary(sorted(KNOWN), ("coco",))
    assert avoided(("Dog", "zzzq"), vocabulary) == ("dog", "dogs")
    assert avoided(("a man",), vocabulary) == ("a", "man", "men")
    assert avoided(("",), vocabulary) == ()


def test_plurals_and_second_names() -> None:
    more = "bike bicycle bicycles sofa sofas leave persons short shorts"
    found = same_things(KNOWN | set(more.split()))
    plurals = "dogs boxes babies men women people persons leaves buses surfers knees buildings"
    told = "dog box baby man woman person person leaf bus surfer knee building"
    expected = dict(zip(plurals.split(), told.split(), strict=True))
    expected |= {"bicycle": "bike", "bicycles": "bike", "sofas": "sofa"}
    assert expected.items() <= found.items()
    assert "sofa" not in found, "there is no couch"
    assert not {"glasses", "shorts", "skis"} & found.keys(), "more than a glass, a short, a ski"
    assert not {"news", "this", "its", "bus", "glass", "red", "as"} & found.keys()
