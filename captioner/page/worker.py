"""Between the page and the models: one thread runs them, everybody else waits for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING

from PIL import Image

from captioner.caption import Caption
from captioner.errors import CaptionerError, kept
from captioner.options import Options

if TYPE_CHECKING:
    from captioner.captioner import Captioner

BATCH = 8  # photos that go through a model together


@dataclass(eq=False)
class _Job:
    photo: Image.Image
    options: Options
    model: int
    answer: Future[Caption] = field(default_factory=Future)


class ModelWorker:
    """The models behind the page, all run by one thread.

    Photos that wait are captioned together where their model and options are the same, in the
    order they came; no two runs of a model compete for the cores, and the memory of one run is all
    that is ever used. A request is never part of another one's failure.
    """

    def __init__(self, captioners: Sequence[Captioner], family: Sequence[Path] = ()) -> None:
        """`family` are checkpoints to compare with, loaded when they are first asked for."""
        if not captioners:
            raise CaptionerError("The page needs at least one model.")
        self.first = captioners[0]
        self.names = [c.name for c in captioners] + [file.stem for file in family]
        self._models: list[Captioner | Path] = [*captioners, *family]
        self._waiting: deque[_Job] = deque()
        self._changed = Condition()
        Thread(target=self._work, name="captioner", daemon=True).start()

    def add(self, captioner: Captioner) -> int:
        """One model more; gives its place."""
        self._models.append(captioner)
        self.names.append(captioner.name)
        return len(self._models) - 1

    def caption(
        self, photos: Sequence[Image.Image], options: Options, model: int = 0
    ) -> list[Caption | CaptionerError]:
        """For each photo its caption by the model at that place, or why that cannot follow the
        options there."""
        jobs = [_Job(photo, options, model) for photo in photos]
        with self._changed:
            self._waiting.extend(jobs)
            self._changed.notify()
        return [_result(job) for job in jobs]

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                batch = self._next_batch()
            self._run(batch)

    def _next_batch(self) -> list[_Job]:
        first = self._waiting[0]
        alike = [
            job
            for job in self._waiting
            if job.model == first.model and job.options == first.options
        ][:BATCH]
        for job in alike:
            self._waiting.remove(job)
        return alike

    def _run(self, batch: list[_Job]) -> None:
        try:
            model = self._model(batch[0].model)
            photos = [job.photo for job in batch]
            captions = list(model.caption_many(photos, batch_size=BATCH, options=batch[0].options))
            for job, caption in zip(batch, captions, strict=True):
                job.answer.set_result(caption)
        except Exception as error:
            if len(batch) == 1 or not isinstance(error, CaptionerError):
                for job in batch:
                    job.answer.set_exception(error)
            else:  # options may be impossible for one photo and not for the next
                for job in batch:
                    self._run([job])

    def _model(self, index: int) -> Captioner:
        model = self._models[index]
        if isinstance(model, Path):
            from captioner.captioner import load

            model = self._models[index] = load(model)
        return model


def _result(job: _Job) -> Caption | CaptionerError:
    try:
        return job.answer.result()
    except CaptionerError as error:
        return kept(error)
