"""A captioner that needs no model: its sentence tells the photo's size."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from captioner.caption import Caption
from captioner.errors import CaptionerError, ImageError
from captioner.images import USUAL, open_image
from captioner.options import Options


def sentence(*words: str, alternatives: int = 0) -> Caption:
    count = len(words)
    best = Caption(
        text=" ".join(words).capitalize() + ".",
        words=words,
        score=0.5,
        log_probability=count * float(np.log(0.5)),
        probabilities=(0.5,) * count,
        attention=np.full((count, 2, 2), 0.25, np.float32),
    )
    others = tuple(sentence("another", str(i), *words) for i in range(alternatives))
    return replace(best, alternatives=others, confidence=0.3)


class FakeCaptioner:
    """Keeps to `Captioner.caption_many`, and remembers how it was asked."""

    styles = ("coco",)
    allowed = USUAL

    def __init__(self) -> None:
        self.options: Options | None = None
        self.batches: list[list[str | bytes | ImageError]] = []

    def caption_many(
        self,
        images: Iterable[Any],
        batch_size: int = 16,
        options: Options | None = None,
        errors: str = "raise",
    ) -> Iterator[Caption | ImageError]:
        self.options = options or Options()
        stream = iter(images)
        while batch := list(islice(stream, batch_size)):
            self.batches.append(batch)
            yield from [self._caption(path, errors) for path in batch]

    def _caption(self, path: str | bytes | ImageError, errors: str) -> Caption | ImageError:
        assert self.options is not None
        if isinstance(path, ImageError):
            return path
        try:
            width, height = open_image(path, allowed=self.allowed).size
        except ImageError as error:
            if errors == "raise":
                raise
            return error
        return sentence(
            *f"a photo {width} by {height}".split(), alternatives=self.options.alternatives
        )


class SlowCaptioner(FakeCaptioner):
    """Takes its time; its scores depend on the batch, as the last digits of real ones do.

    After `most` photos each takes LATER seconds: who is to end it amid its work comes in time,
    however slow the machine is.
    """

    LATER = 0.1

    def __init__(self, seconds: float, most: int | None = None) -> None:
        super().__init__()
        self._seconds, self._most = seconds, most

    def caption_many(
        self, images: Iterable[Any], batch_size: int = 16, *args: Any, **kwargs: Any
    ) -> Iterator[Caption | ImageError]:
        outcomes = super().caption_many(images, batch_size, *args, **kwargs)
        for number, outcome in enumerate(outcomes):
            slow = self._most is not None and number >= self._most
            time.sleep(self.LATER if slow else self._seconds)
            if isinstance(outcome, Caption):
                batch = self.batches[-1]
                readable = [image for image in batch if not isinstance(image, ImageError)]
                mixed = blake2b(repr((readable, number % batch_size)).encode(), digest_size=4)
                outcome = replace(outcome, score=int.from_bytes(mixed.digest(), "big") / 2**32)
            yield outcome


class DeadlyCaptioner(FakeCaptioner):
    """Ends its process at photos of a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def _caption(self, path: str | bytes | ImageError, errors: str) -> Caption | ImageError:
        if str(path).endswith(self._name):
            os._exit(1)
        return super()._caption(path, errors)


class KilledCaptioner(FakeCaptioner):
    """Its process is killed (SIGKILL) as it comes to each of these photos for the first time.

    `folder` keeps count: it has a file for each that has ended a process.
    """

    def __init__(self, names: Iterable[str], folder: Path) -> None:
        super().__init__()
        self._names, self._folder = tuple(names), folder

    def _caption(self, path: str | bytes | ImageError, errors: str) -> Caption | ImageError:
        name = os.path.basename(path) if isinstance(path, str) else ""
        if name in self._names and not (self._folder / name).exists():
            (self._folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._caption(path, errors)


class RefusingCaptioner(FakeCaptioner):
    """Finds the options impossible."""

    def caption_many(self, *_: Any, **__: Any) -> Iterator[Caption | ImageError]:
        raise CaptionerError("style must be one of coco")
