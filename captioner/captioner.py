"""The captioner: pictures in, `Caption` objects out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from captioner.ahead import ahead
from captioner.assets import EMBEDDED
from captioner.caption import Caption
from captioner.confidence import evidence, look_of
from captioner.engines.engine import Engine, Started
from captioner.engines.opening import open_engine
from captioner.errors import CaptionerError, ImageError, kept
from captioner.forms import same_things
from captioner.images import USUAL, Picture, open_image
from captioner.options import ABOUT, Options
from captioner.rules import avoided, search_options
from captioner.search import (
    Hypothesis,
    SearchOptions,
    agreement,
    beam_search,
    by_consensus,
    sample,
    support,
)
from captioner.search.worn import Worn
from captioner.vocabulary import Vocabulary, detokenize

Square = npt.NDArray[np.uint8]
Looked = tuple[Sequence[Square | ImageError], Started | None]


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    engine: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> Captioner:
    """The captioner in a checkpoint file, or in a folder that `captioner export` wrote; without a
    path the one that comes with the package.

    `engine` is "openvino", "onnxruntime" or "torch"; None: the quickest that is installed for what
    the checkpoint has. `device` is torch's name ("cpu", "cuda"); None: a GPU where there is one.
    `dtype` is what the encoder computes in, on OpenVINO the decoder too, "float32" or "bfloat16";
    None: the quicker one.

    Raises CaptionerError for a file that is no checkpoint, and for an engine, a device or a
    precision that cannot be had, saying what to do.
    """
    file = EMBEDDED if path is None else Path(path)
    if file.is_dir():
        file = file / EMBEDDED.name
    return Captioner(open_engine(file, engine, device, dtype))


class Captioner:
    """Writes sentences about photos with the model of one engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = engine.notes.name
        attributes = self.vocabulary.encode(engine.notes.attributes)
        self._attributes = frozenset(attributes)
        ids = self.vocabulary.ids
        self._same = {ids[word]: ids[of] for word, of in same_things(ids).items()}
        self._stand_ins = {ids[word]: ids[of] for word, of in engine.notes.stand_ins.items()}
        self.allowed = USUAL
        """How much one picture may take: pixels, memory, time."""

    def __repr__(self) -> str:
        engine = self.engine
        return f"Captioner({self.name!r}, engine={engine.name!r}, dtype={engine.precision!r})"

    @property
    def vocabulary(self) -> Vocabulary:
        return self.engine.notes.vocabulary

    @property
    def styles(self) -> tuple[str, ...]:
        """The kinds of sentences that the model can write, the usual one first."""
        return self.vocabulary.styles

    def avoided(self, words: Sequence[str]) -> tuple[str, ...]:
        """All words that `Options(avoid=words)` leaves out: these and their other forms."""
        return avoided(words, self.vocabulary)

    def caption(self, image: Picture, options: Options | None = None, **changes: Any) -> Caption:
        """One picture's caption, found with `options` and the `changes` to them (beam=3).

        Raises ImageError for a picture that cannot be read, CaptionerError for options that the
        model cannot follow.
        """
        wanted = _changed(options, changes)
        caption = next(self.caption_many([image], batch_size=1, options=wanted))
        return replace(caption, photo=image)

    @overload
    def caption_many(
        self,
        images: Iterable[Picture | ImageError],
        *,
        batch_size: int = ...,
        options: Options | None = ...,
        errors: Literal["raise"] = ...,
        **changes: Any,
    ) -> Iterator[Caption]: ...
    @overload
    def caption_many(
        self,
        images: Iterable[Picture | ImageError],
        *,
        batch_size: int = ...,
        options: Options | None = ...,
        errors: Literal["return"],
        **changes: Any,
    ) -> Iterator[Caption | ImageError]: ...

    def caption_many(
        self,
        images: Iterable[Picture | ImageError],
        *,
        batch_size: int = 16,
        options: Options | None = None,
        errors: Literal["raise", "return"] = "raise",
        **changes: Any,
    ) -> Iterator[Caption | ImageError]:
        """Captions in the order of `images`, `batch_size` photos at a time, as they are ready.

        `images` may be endless: it is read no further than two batches ahead. With `errors`
        "return" a picture that cannot be read yields its ImageError, else that is raised; an
        ImageError among the pictures stands for one that was tried already. `changes` are made to
        the options: beam=3.

        Raises CaptionerError for wrong arguments and options that the model cannot follow.
        """
        _check_many(images, batch_size, errors)
        wanted = _changed(options, changes)
        search = search_options(wanted, self.vocabulary, self.engine.notes.worn)
        return self._caption_many(iter(images), batch_size, wanted, search, errors == "raise")

    def _caption_many(
        self,
        images: Iterator[Picture | ImageError],
        batch_size: int,
        options: Options,
        search: SearchOptions,
        raises: bool,
    ) -> Iterator[Caption | ImageError]:
        for pictures, started in ahead(images, batch_size, self._square, self._look):
            squares = [picture for picture in pictures if not isinstance(picture, ImageError)]
            captions = iter(self._write(squares, started, options, search) if started else [])
            for picture in pictures:
                if not isinstance(picture, ImageError):
                    yield next(captions)
                elif raises:
                    raise picture
                else:
                    yield picture

    def _square(self, image: Picture | ImageError) -> Square | ImageError:
        """The picture squeezed to the model's square, (S, S, 3) uint8."""
        side = self.engine.notes.pixels
        try:
            if isinstance(image, ImageError):
                return image
            picture = open_image(image, target=side, allowed=self.allowed)
            return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
        except ImageError as error:
            return kept(error)

    def _look(self, pictures: Sequence[Square | ImageError]) -> Looked:
        squares = [picture for picture in pictures if not isinstance(picture, ImageError)]
        return pictures, self.engine.start(np.stack(squares)) if squares else None

    def _write(
        self, squares: Sequence[Square], started: Started, options: Options, search: SearchOptions
    ) -> list[Caption]:
        style = self.vocabulary.start(options.style or self.styles[0])
        first = self.engine.ids([style] * len(started.attributes))
        if options.temperature > 0:
            wanted = 1 + options.alternatives
            found = sample(
                self.engine.step, started.state, first, search, wanted, seed=options.seed
            )
        else:
            found = beam_search(self.engine.step, started.state, first, search)
        shown = zip(started.attributes.tolist(), started.certainty.tolist(), strict=True)
        return [
            self._best(
                each, dict(zip(ids, certainty, strict=True)), look_of(square), options, search.worn
            )
            for each, (ids, certainty), square in zip(found, shown, squares, strict=True)
        ]

    def _best(
        self,
        found: list[Hypothesis],
        shown: Mapping[int, float],
        look: tuple[float, float],
        options: Options,
        worn: Worn = (),
    ) -> Caption:
        """The caption of a photo about which those sentences were found."""
        if not found:
            raise CaptionerError(
                "no sentence obeys these options; allow more words, more beams or fewer constraints"
            )
        notes = self.engine.notes
        rarity, sure = notes.rarity, notes.confidence
        attributes, seen = self._attributes, shown
        if (options.style or self.styles[0]) in self.styles[: notes.taught]:
            sure = None  # nobody has judged its sentences
            attributes = attributes | self._stand_ins.keys()
            taught = {word: shown[of] for word, of in self._stand_ins.items() if of in shown}
            seen = {**shown, **taught}
        agreed = agreement(found, rarity)
        ranked = found
        if options.consensus:
            ranked = by_consensus(found, rarity, agreed, seen, attributes, worn, self._same)
        first, *others = map(self._caption, ranked[: options.alternatives + 1])
        best = next(i for i, hypothesis in enumerate(found) if hypothesis is ranked[0])
        borne = support(ranked[0], rarity, seen, attributes)
        figures = evidence(ranked[0], agreed[best], shown, borne, look)
        return replace(
            first,
            alternatives=tuple(others),
            confidence=None if sure is None else sure(figures),
            evidence=figures,
        )

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        words = tuple(self.vocabulary.decode(hypothesis.words))
        side = math.isqrt(hypothesis.attention.shape[-1])
        choices = (
            tuple((self.vocabulary.words[word], math.exp(score)) for word, score in place)
            for place in hypothesis.choices
        )
        return Caption(
            text=detokenize(words),
            words=words,
            score=math.exp(hypothesis.log_probability / (len(words) + 1)),
            log_probability=hypothesis.log_probability,
            probabilities=tuple(map(math.exp, hypothesis.word_log_probabilities)),
            attention=hypothesis.attention.reshape(len(words), side, side),
            choices=tuple(choices),
        )


def _changed(options: Options | None, changes: dict[str, Any]) -> Options:
    if options is not None and not isinstance(options, Options):
        raise CaptionerError(f"options must be captioner.Options, not {options!r}")
    for name in changes:
        if name not in ABOUT:
            raise CaptionerError(f"there is no option {name!r}; there are {', '.join(ABOUT)}")
    return replace(options or Options(), **changes)


def _check_many(images: object, batch_size: object, errors: object) -> None:
    single = isinstance(images, (str, bytes, bytearray, os.PathLike, Image.Image, ImageError))
    if single or (isinstance(images, np.ndarray) and images.ndim < 4):
        raise CaptionerError(
            "caption_many takes several pictures, in a list say; caption takes one"
        )
    if not isinstance(images, Iterable):
        raise CaptionerError(f"caption_many takes several pictures, not {type(images).__name__}")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise CaptionerError(f"batch_size must be a whole number from 1 on, not {batch_size!r}")
    if errors not in ("raise", "return"):
        raise CaptionerError(f"errors must be 'raise' or 'return', not {errors!r}")
