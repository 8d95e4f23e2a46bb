"""A lesson from its beginning to its end: pairs of photos and captions in, a captioner out."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from captioner import checkpoint
from captioner.captioner import Captioner
from captioner.engines.torch import TorchEngine
from captioner.errors import CaptionerError
from captioner.files import unwritable
from captioner.model.model import Model
from captioner.teaching.lesson import Learner, Learnt, Lesson, Remembered
from captioner.teaching.pairs import Pair, check_pairs, given_pairs
from captioner.teaching.photos import Pictures, groups_of, hold_out, readable
from captioner.teaching.verdict import Cider, Verdict, judge
from captioner.teaching.words import Growth, enlarged, grow
from captioner.training.data import Example
from captioner.training.photos import CachedPhotos
from captioner.training.validate import write

LEAST = 10  # photos
APART = 20  # held-out photos, from which on one half chooses the weights and the other one judges
SHOWN = 12  # words in a sentence about new ones

Tell = Callable[[str], None]


@dataclass(frozen=True)
class TaughtModel:
    """A model that was taught, and what came of it."""

    model: Model
    growth: Growth
    learnt: Learnt
    verdict: Verdict


def teach(
    pairs: Iterable[Any],
    *,
    model: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    style: str = "mine",
    minimum: int = 2,
    minutes: float | None = None,
    lesson: Lesson | None = None,
) -> Captioner:
    """A captioner that has learnt from pairs of a picture and its caption, or its captions.

    It begins as the `model` in that checkpoint (None: the built-in one), learns the words that
    occur at least `minimum` times, and writes in a `style` of that name unless another is asked
    for. It is saved to `output`, its graphs beside it, or kept in memory. `minutes` ends it early,
    `lesson` says how it learns instead.

    Raises CaptionerError for pairs from which nothing can be learnt, and an output that cannot be
    written.
    """
    file = None if output is None else Path(output)
    if file is not None:
        check_output(file)
    start = checkpoint.load(checkpoint.EMBEDDED if model is None else Path(model))
    lesson = lesson or Lesson(minutes=minutes)
    taught = teach_model(start, given_pairs(pairs), style, minimum, lesson, _quiet)
    if file is None:
        return Captioner(TorchEngine(taught.model, style))
    save(taught.model, file)
    from captioner.captioner import load

    return load(file)


def _quiet(message: str) -> None:
    pass


def check_output(file: Path, overwrite: bool = True) -> None:
    """Raise CaptionerError for a file that cannot be written, before anything is learnt for it."""
    if file.suffix != ".safetensors":
        raise CaptionerError(f"{file}: a model's file ends in .safetensors; call it so")
    if file.resolve() == checkpoint.EMBEDDED.resolve():
        raise CaptionerError(f"{file}: is the built-in model; choose another place")
    if file.exists() and not overwrite:
        raise CaptionerError(f"{file}: is there already; add --overwrite to lose it")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent):
            pass
    except OSError as error:
        raise unwritable(file, error) from None


def save(model: Model, file: Path) -> None:
    """Write the model with its encoder, and its graphs beside it. Raises CaptionerError."""
    from captioner.export.run import write_graphs

    model.encoder.shared = False
    checkpoint.save(model, file)
    write_graphs(file, checkpoint.load(file))


def teach_model(
    start: Model, pairs: Sequence[Pair], style: str, minimum: int, lesson: Lesson, tell: Tell
) -> TaughtModel:
    """Teach a model's decoder; `start` stays as it is. Raises CaptionerError."""
    _check_style(style)
    check_pairs(pairs, LEAST)
    pairs, thumbnails = readable(pairs, tell)
    check_pairs(pairs, LEAST)
    groups = groups_of(thumbnails)
    held = hold_out(groups, lesson.seed)
    if len(held) < 2:
        raise CaptionerError(
            "nearly all photos show the same, so that none can be held out to tell whether it"
            " helped; add others"
        )
    own = sorted(set(range(len(pairs))) - set(held))
    growth = grow([c for i in own for c in pairs[i].captions], start.vocabulary, minimum)
    _tell_words(growth, minimum, tell)
    tell(
        f"{len(own)} photos to learn from, {len(held)} held out; {len(pairs) - len(groups)} show"
        " nearly what another one shows, and stay with it"
    )
    with TemporaryDirectory() as folder:
        return _Room(start, pairs, style, growth, lesson, Path(folder)).teach(own, held, tell)


def _check_style(style: str) -> None:
    if not style.isidentifier():
        raise CaptionerError(f"a style is one word of letters and digits, not {style!r}")


def _tell_words(growth: Growth, minimum: int, tell: Tell) -> None:
    known = growth.spelling.keys() - {word.lower() for word in growth.dropped}
    if 2 * len(known) < len(growth.spelling) and not growth.new:
        raise CaptionerError(
            f"most words of the captions occur fewer than {minimum} times, too seldom to be learnt;"
            " write the same thing with the same word, or lower --minimum"
        )
    tell(f"new words ({len(growth.new)}): {_few(growth.new)}")
    if growth.dropped:
        tell(
            f"not learnt, as they occur fewer than {minimum} times ({len(growth.dropped)}):"
            f" {_few(growth.dropped)}"
        )


def _few(words: Iterable[str]) -> str:
    several = list(words)
    return (", ".join(several[:SHOWN]) or "none") + (" …" if len(several) > SHOWN else "")


class _Room:
    """Where a lesson takes place: all that it needs, and the maps of its photos in a folder."""

    def __init__(
        self, start: Model, pairs: Sequence[Pair], style: str, growth: Growth, lesson: Lesson,
        folder: Path,
    ) -> None:  # fmt: skip
        self.start, self.pairs, self.style, self.growth = start, pairs, style, growth
        self.lesson, self.folder = lesson, folder
        self.files = Pictures(pairs)

    def teach(self, own: Sequence[int], held: Sequence[int], tell: Tell) -> TaughtModel:
        apart = len(held) >= APART
        watched, judged = (held[::2], held[1::2]) if apart else (held, held)
        examples = self._examples(own)
        captions = [caption for example in examples for caption in example.captions]
        model = enlarged(self.start, self.growth, self.style, captions, len(own))
        photos = self._photos(model, examples)
        seen = self._photos(model, self._examples(watched))
        new = [model.vocabulary.ids[word] for word in self.growth.new]
        styles = [name for name in self.start.vocabulary.styles if name != self.style]
        remembered = None
        if self.lesson.replay and styles:
            tell("what the model says so far is noted, lest it forgets")
            remembered = Remembered(model, new, styles, photos, len(own))
        learner = Learner(model, remembered, photos, examples, self.lesson)
        tell(_duration(learner, self.lesson))
        looked, by = self._examples(watched), self._cider(own, watched)
        learnt = learner.learn(
            lambda taught: float(by.scores(write(taught, seen, looked, bf16=False)).mean())
        )
        before, after = (self._written(each, judged) for each in (self.start, model))
        names = [self.pairs[i].name for i in judged]
        told = [self.pairs[i].captions for i in judged]
        cider = self._cider(own, judged)
        verdict = judge(names, told, before, after, cider, self.growth.new)
        return TaughtModel(model, self.growth, learnt, verdict)

    def _examples(self, places: Sequence[int]) -> list[Example]:
        return [
            Example(
                str(i), self.style, tuple(map(self.growth.tokens, self.pairs[i].captions)),
                self.pairs[i].captions,
            )
            for i in places
        ]  # fmt: skip

    def _photos(self, model: Model, examples: Sequence[Example]) -> CachedPhotos:
        return CachedPhotos(model.encoder, self.files, examples, self.folder, grids=True)

    def _cider(self, own: Sequence[int], held: Sequence[int]) -> Cider:
        return Cider(*([self.pairs[i].captions for i in places] for places in (own, held)))

    def _written(self, model: Model, places: Sequence[int]) -> list[str]:
        """What a person gets of photos: the usual sentence of the model."""
        captioner = Captioner(TorchEngine(copy.deepcopy(model), device="cpu"))
        contents = [self.pairs[i].content for i in places]
        return [caption.text for caption in captioner.caption_many(contents)]


def _duration(learner: Learner, lesson: Lesson) -> str:
    """How long the lesson will take at most, from the time of one step."""
    weights = copy.deepcopy(learner.model.decoder.state_dict())
    began = time.monotonic()
    learner.step(1, 0.0)  # at a rate of nothing
    minutes = (time.monotonic() - began) * learner.steps / 60
    learner.model.decoder.load_state_dict(weights)
    learner.optimizer.state.clear()
    most = min(minutes, lesson.minutes or minutes)
    return (
        f"{learner.steps} steps, about {max(1, int(np.ceil(most)))} minutes or less; Ctrl-C keeps"
        " the best so far"
    )
