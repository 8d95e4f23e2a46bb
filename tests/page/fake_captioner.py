"""A captioner whose sentences and attention are known beforehand, for tests of the page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from threading import Semaphore
from typing import Any

import numpy as np
from PIL import Image

from captioner.caption import Caption
from captioner.errors import CaptionerError
from captioner.options import Options

SENTENCES = (
    "a dog runs across the green grass",
    "a brown dog is running in a field",
    "two dogs play with a red ball",
    "an animal stands near a tree",
    "a puppy outside",
)
LONG = (
    "a very large group of people standing around a long wooden table that is covered with "
    "plates bowls and glasses in front of an extraordinarily colourful building"
)
NEARLY = (("horse", 0.05), ("boat", 0.02), ("kite", 0.001))  # what might stand in any place
GRID = 8


class FakeCaptioner:
    """Each word t looks at one place of its own: the blob walks along a diagonal.

    One that does not look has no attention. A batch takes `seconds`, and waits for one of `turns`
    first. A photo that is pure white gets the long sentence. What went through is kept in
    `batches`.
    """

    styles = ("coco", "flickr30k")

    def __init__(
        self,
        name: str = "fake",
        seconds: float = 0.0,
        turns: Semaphore | None = None,
        looks: bool = True,
        confidence: float | None = None,
    ) -> None:
        self.confidence = confidence
        self.name = name
        self.looks = looks
        self.seconds = seconds
        self.turns = turns
        self.batches: list[tuple[int, Options]] = []

    def avoided(self, words: Iterable[str]) -> tuple[str, ...]:
        return tuple(form for word in words for form in (word, f"{word}s"))

    def caption(self, image: Any, options: Options = Options()) -> Caption:
        return next(iter(self.caption_many([image], 1, options)))

    def caption_many(
        self,
        images: Iterable[Any],
        batch_size: int = 16,
        options: Options = Options(),
        errors: str = "raise",
    ) -> Iterator[Caption]:
        images = list(images)
        if self.turns:
            self.turns.acquire()
        self.batches.append((len(images), options))
        if options.style not in ("", *self.styles):
            raise CaptionerError(f"There is no style {options.style!r}.")
        if "zzz" in options.prefix:
            raise CaptionerError("the start of the sentence: the model does not know 'zzz'")
        time.sleep(self.seconds)
        yield from (self._one(image, options) for image in images)

    def _one(self, image: Image.Image, options: Options) -> Caption:
        white = min(low for low, _ in image.convert("RGB").getextrema()) == 255
        sentences = [LONG, *SENTENCES] if white else list(SENTENCES)
        start = options.seed if options.temperature else 0
        ranked = [
            self._caption(sentences[(start + rank) % len(sentences)], rank, options)
            for rank in range(1 + options.alternatives)
        ]
        return replace(ranked[0], alternatives=tuple(ranked[1:]))

    def _caption(self, sentence: str, rank: int, options: Options) -> Caption:
        kept = [word for word in sentence.split() if word not in self.avoided(options.avoid)]
        words = (*options.prefix.lower().split(), *kept)[: options.max_words + 10]
        maps = np.stack([blob(index, len(words), rank) for index in range(len(words))])
        sure = tuple(max(0.08, 0.9 - 0.12 * rank - 0.05 * index) for index in range(len(words)))
        score = float(np.exp(np.mean(np.log(sure))))
        text = " ".join(words).capitalize() + "."
        if not self.looks:
            maps = maps[:, :0, :0]
        choices = tuple(
            ((word, round(sure[index], 3)), *NEARLY)[: options.choices]
            for index, word in enumerate(words)
            if options.choices
        )
        return Caption(
            text, words, score, float(np.log(score) * len(words)), sure, maps,
            confidence=self.confidence, choices=choices,
        )  # fmt: skip


def blob(index: int, count: int, rank: int = 0) -> np.ndarray:
    """The map of word `index` of `count`: a bump on the diagonal, (GRID, GRID), summing to 1."""
    place = (index + 0.5) / count * GRID
    centre = (place, GRID - place if rank % 2 else place)
    y, x = np.mgrid[:GRID, :GRID] + 0.5
    bump = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 2.5) + 0.01
    return (bump / bump.sum()).astype(np.float32)
