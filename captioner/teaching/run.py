"""A lesson from its beginning to its end: pairs of photos and captions in, a captioner out."""

from __future__ import annotations

import copy
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from captioner import checkpoint
from captioner.captioner import Captioner
from captioner.datasets.captions import first_few
from captioner.engines.graphs import START, STEP, graph_file
from captioner.engines.torch import TorchEngine
from captioner.errors import CaptionerError
from captioner.files import Unwritable, unwritable
from captioner.model.model import Model
from captioner.teaching.before_after import page_file
from captioner.teaching.lesson import Learner, Learnt, Lesson
from captioner.teaching.pairs import Pair, Tell, check_pairs, given_pairs
from captioner.teaching.photos import Pictures, groups_of, hold_out, readable
from captioner.teaching.verdict import Cider, Verdict, judge, said_of
from captioner.teaching.words import Growth, enlarged, grow, stand_in
from captioner.training.data import Example
from captioner.training.photos import CachedPhotos, plain_grid
from captioner.training.validate import BATCH, write

LEAST = 10  # photos
APART = 20  # held-out photos, from which on one half chooses the weights and the other one judges
ROOM = 3  # times the size of a model, for it, the lesson that is kept, and a draft of either
SHOWN = 12  # words in a sentence about new ones

After = Callable[[Learner], None]


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
    for; its other styles stay as they are. It is saved to `output`, its graphs beside it, in place
    of what is there, or kept in memory. `minutes` ends it early, `lesson` says how it learns
    instead.

    Raises CaptionerError for pairs from which nothing can be learnt, and an output that cannot be
    written.
    """
    file = None if output is None else Path(output)
    base = checkpoint.EMBEDDED if model is None else Path(model)
    start = checkpoint.load(base)
    if file is not None:
        check_output(file, base)
    lesson = lesson or Lesson(minutes=minutes)
    given = given_pairs(pairs)
    taught = teach_model(start, given, style, minimum, lesson, lambda message: None, output=file)
    if file is None:
        return Captioner(TorchEngine(taught.model, style))
    save(taught.model, file, base)
    from captioner.captioner import load

    return load(file)


def check_output(file: Path, base: Path, overwrite: bool = True) -> None:
    """Raise CaptionerError for a file that cannot be written, before anything is learnt for it from
    the model in `base`."""
    if file.suffix != ".safetensors":
        raise CaptionerError(f"{file}: a model's file ends in .safetensors; call it so")
    if file.resolve() == checkpoint.EMBEDDED.resolve():
        raise CaptionerError(f"{file}: is the built-in model; choose another place")
    if not overwrite:
        _refuse_to_lose(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=file.parent):
            pass
        room, needed = shutil.disk_usage(file.parent).free, ROOM * base.stat().st_size
    except OSError as error:
        raise unwritable(file, error) from None
    if room < needed:
        raise CaptionerError(
            f"{file}: there is room for {room >> 20} MB there, and a model takes {needed >> 20} MB"
            " while it is made; make room, or name another place"
        )


def _refuse_to_lose(file: Path) -> None:
    """Raise CaptionerError for anything that a lesson would write over or take away."""
    if file.exists():
        raise CaptionerError(f"{file}: is there already; add --overwrite to lose it")
    unfinished = unfinished_file(file)
    if unfinished.exists():
        raise CaptionerError(
            f"{unfinished}: an interrupted lesson left this; add --resume to go on with it, or"
            " --overwrite to lose it"
        )
    for beside in (page_file(file), graph_file(file, START), graph_file(file, STEP)):
        if beside.exists():
            raise CaptionerError(
                f"{beside}: would be written over; move it, or add --overwrite to lose it"
            )


def unfinished_file(output: Path) -> Path:
    """Where the lesson that makes `output` is kept until it is over."""
    return output.with_name(f"{output.stem}.unfinished.safetensors")


def save(model: Model, file: Path, base: Path, over: bool = True) -> None:
    """Write the model with its encoder and the confidence of `base`, from which it was taught, and
    its graphs beside it; where the lesson is `over`, what was kept of it goes.

    Raises CaptionerError where it cannot be written.
    """
    from captioner.export.run import write_graphs

    model.encoder.shared = False
    sure = checkpoint.notes_beside(base)
    try:
        checkpoint.save(model, file, notes=sure)
        write_graphs(file, checkpoint.load(file))
    except CaptionerError as error:
        raise CaptionerError(
            f"{error}; make room there and add --resume: no step is lost"
        ) from None
    if over:
        unfinished_file(file).unlink(missing_ok=True)


def teach_model(
    start: Model,
    pairs: Sequence[Pair],
    style: str,
    minimum: int,
    lesson: Lesson,
    tell: Tell,
    *,
    output: Path | None = None,
    resume: bool = False,
    after: After = lambda learner: None,
) -> TaughtModel:
    """Teach a model's decoder a style; `start` stays as it is.

    Where `output` says what file it is for, the lesson is kept beside that as it goes, and can be
    gone on with (`resume`). `after` is called after each step. Raises CaptionerError.
    """
    if not style.isidentifier():
        raise CaptionerError(f"a style is one word of letters and digits, not {style!r}")
    if style in start.vocabulary.styles[start.config.decoder.taught :]:
        raise CaptionerError(
            f"the style {style} is built in and stays as it is; choose another name"
        )
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
        room = _Room(start, pairs, style, growth, lesson, Path(folder), tell)
        return room.teach(own, held, output, resume, after)


def _tell_words(growth: Growth, minimum: int, tell: Tell) -> None:
    known = growth.spelling.keys() - {word.lower() for word in growth.dropped}
    if 2 * len(known) < len(growth.spelling) and not growth.new:
        raise CaptionerError(
            f"most words of the captions occur fewer than {minimum} times, too seldom to be learnt;"
            " write the same thing with the same word, or lower --minimum"
        )
    tell(f"new words ({len(growth.new)}): {first_few(growth.new, SHOWN) or 'none'}")
    if growth.dropped:
        tell(
            f"not learnt, as they occur fewer than {minimum} times ({len(growth.dropped)}):"
            f" {first_few(growth.dropped, SHOWN)}"
        )


@dataclass
class _Room:
    """Where a lesson takes place: all that it needs, and the maps of its photos in a folder."""

    start: Model
    pairs: Sequence[Pair]
    style: str
    growth: Growth
    lesson: Lesson
    folder: Path
    tell: Tell

    def teach(
        self, own: Sequence[int], held: Sequence[int], output: Path | None, resume: bool,
        after: After,
    ) -> TaughtModel:  # fmt: skip
        apart = len(held) >= APART
        watched, judged = (held[::2], held[1::2]) if apart else (held, held)
        examples, looked = self._examples(own), self._examples(watched)
        captions = [caption for example in examples for caption in example.captions]
        model = enlarged(self.start, self.growth, self.style, captions, len(own))
        photos, seen = self._photos(model, examples), self._photos(model, looked)
        find_stand_ins(model, self.growth, examples, photos)
        learner = Learner(model, photos, examples, self.lesson)
        mark, by = learner.mark(examples), self._cider(own, watched)
        if resume and output is not None:
            learner.go_on(unfinished_file(output), mark)
        self.tell(_duration(learner, self.lesson))

        def score(taught: Model) -> float:
            """CIDEr, which thinks little of names that are everywhere, and what is said of them."""
            told = write(taught, seen, looked, bf16=False)
            captions = [self.pairs[i].captions for i in watched]
            return float(by.scores(told).mean()) + (said_of(self.growth.new, captions, told) or 0.0)

        def kept(learner: Learner) -> None:
            """Note the lesson beside what it makes after each look at the held-out photos."""
            nonlocal output
            if output is not None and learner.step in learner.scores:
                try:
                    learner.keep(unfinished_file(output), mark)
                except CaptionerError as error:
                    self.tell(f"{error}; the lesson goes on, but could not be resumed")
                    output = None
            after(learner)

        learnt = learner.learn(score, kept)
        was, now = (self._written(each, judged) for each in (self.start, model))
        shown = [self.pairs[i] for i in judged]
        verdict = judge(shown, was, now, self._cider(own, judged), self.growth.new, apart)
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
        try:
            files = Pictures(self.pairs)
            return CachedPhotos(model.encoder, files, examples, self.folder, grids=True)
        except Unwritable as error:
            raise CaptionerError(
                f"the temporary folder: {error} TMPDIR names another, for 0.6 MB a photo"
            ) from None

    def _cider(self, own: Sequence[int], held: Sequence[int]) -> Cider:
        return Cider(*([self.pairs[i].captions for i in places] for places in (own, held)))

    def _written(self, model: Model, places: Sequence[int]) -> list[str]:
        """What a person gets of photos: the usual sentence of the model."""
        captioner = Captioner(TorchEngine(copy.deepcopy(model), device="cpu"))
        contents = [self.pairs[i].content for i in places]
        return [caption.text for caption in captioner.caption_many(contents)]


@torch.inference_mode()
def find_stand_ins(
    model: Model, growth: Growth, examples: Sequence[Example], photos: CachedPhotos
) -> None:
    """Let `stand_in` look at the photos of the examples, if the model has attribute words."""
    if not model.attributes:
        return
    parts = np.array_split(np.arange(len(examples)), math.ceil(len(examples) / BATCH))
    seen = [model.head(plain_grid(photos, part, model.encoder)).sigmoid() for part in parts]
    words = [{word for caption in example.captions for word in caption} for example in examples]
    stand_in(model, growth.new, words, torch.cat(seen))


def _duration(learner: Learner, lesson: Lesson) -> str:
    """How long the lesson will take at most, from the time of one step."""
    weights = learner.weights()
    state = copy.deepcopy(learner.optimizer.state_dict())
    began = time.monotonic()
    learner.learn_batch(0, 0.0)
    left = learner.steps - learner.step
    minutes = (time.monotonic() - began) * left / 60
    learner.restore(weights)
    learner.optimizer.load_state_dict(state)
    most = min(minutes, lesson.minutes or minutes)
    return (
        f"{left} steps, about {max(1, math.ceil(most))} min or less; Ctrl-C keeps the best so far"
    )
