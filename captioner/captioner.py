"""The captioner: pictures in, `Caption` objects out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from PIL import Image

from captioner import checkpoint
from captioner.caption import Caption
from captioner.devices import find_device
from captioner.errors import CaptionerError, ImageError
from captioner.images import Picture, open_image
from captioner.model.model import Model
from captioner.options import Options
from captioner.search import Hypothesis, SearchOptions, beam_search, by_consensus, sample
from captioner.vocabulary import Vocabulary, detokenize, tokenize

BAD_LAST_WORDS = ("a", "an", "the", "of", "with", "and", "on", "in", "to", "at", "is", "are", ",")
READERS = 2


def load(path: str | os.PathLike[str] | None = None, device: str = "cpu") -> Captioner:
    """The captioner in a checkpoint file; without a path the one that comes with the package.

    `device` is torch's name ("cpu", "cuda"). Raises CaptionerError for a file that is none.
    """
    file = checkpoint.EMBEDDED if path is None else Path(path)
    return Captioner(checkpoint.load(file), file.stem, device)


def rules(vocabulary: Vocabulary) -> SearchOptions:
    """What every sentence keeps to, whatever the options: words that are never written, words that
    it does not end on, sequences that it does not repeat."""
    return SearchOptions(
        end=vocabulary.end,
        pad=vocabulary.pad,
        forbidden=vocabulary.never_written,
        not_last=tuple(vocabulary.ids[w] for w in BAD_LAST_WORDS if w in vocabulary.ids),
        no_repeat=3,
    )


class Captioner:
    """Writes sentences about photos with one model."""

    def __init__(self, model: Model, name: str = "captioner", device: str = "cpu") -> None:
        """Takes the model over: moved to `device`, its encoder in bf16 where that is quick.

        Raises CaptionerError for a device that torch lacks.
        """
        self.device = find_device(device)
        self.model = model.eval().to(self.device)
        self.name = name
        self._rarity: list[float] = model.rarity.tolist()
        if self.device.type == "cuda" or _fast_bf16():
            self.model.encoder.backbone.bfloat16()

    @property
    def vocabulary(self) -> Vocabulary:
        return self.model.vocabulary

    @property
    def styles(self) -> tuple[str, ...]:
        """The kinds of sentences that the model can write, the usual one first."""
        return self.vocabulary.styles

    def caption(self, image: Picture, options: Options = Options()) -> Caption:
        """One picture's caption. Raises ImageError for a picture that cannot be read,
        CaptionerError for options the model cannot follow."""
        return next(self.caption_many([image], 1, options))

    @overload
    def caption_many(
        self,
        images: Iterable[Picture],
        batch_size: int = ...,
        options: Options = ...,
        errors: Literal["raise"] = ...,
    ) -> Iterator[Caption]: ...
    @overload
    def caption_many(
        self,
        images: Iterable[Picture],
        batch_size: int = ...,
        options: Options = ...,
        *,
        errors: Literal["return"],
    ) -> Iterator[Caption | ImageError]: ...

    def caption_many(
        self,
        images: Iterable[Picture],
        batch_size: int = 16,
        options: Options = Options(),
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[Caption | ImageError]:
        """Captions in the order of `images`, `batch_size` photos at a time, as they are ready.

        `images` may be endless: it is read no further than two batches ahead. With `errors`
        "return" a picture that cannot be read yields its ImageError, else that is raised.
        CaptionerError for options that the model cannot follow, when the first is asked for.
        """
        if batch_size < 1:
            raise CaptionerError(f"batch_size must be at least 1, not {batch_size}")
        if errors not in ("raise", "return"):
            raise CaptionerError(f"errors must be 'raise' or 'return', not {errors!r}")
        search = self._search_options(options)
        stream = iter(images)
        with ThreadPoolExecutor(READERS) as readers:

            def read_ahead() -> list[Future[np.ndarray | ImageError]]:
                return [readers.submit(self._read, image) for image in islice(stream, batch_size)]

            batch, following = read_ahead(), read_ahead()
            while batch:
                pictures = [reading.result() for reading in batch]
                for caption in self._caption_batch(pictures, options, search):
                    if isinstance(caption, ImageError) and errors == "raise":
                        raise caption
                    yield caption
                batch, following = following, read_ahead()

    def _read(self, image: Picture) -> np.ndarray | ImageError:
        """The picture squeezed to the model's square, (S, S, 3) uint8."""
        side = self.model.config.encoder.pixels
        try:
            picture = open_image(image, target=side)
            return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
        except ImageError as error:
            return error

    @torch.inference_mode()
    def _caption_batch(
        self, pictures: Sequence[np.ndarray | ImageError], options: Options, search: SearchOptions
    ) -> Iterator[Caption | ImageError]:
        squares = [picture for picture in pictures if isinstance(picture, np.ndarray)]
        captions = iter(self._write(squares, options, search) if squares else [])
        for picture in pictures:
            yield picture if isinstance(picture, ImageError) else next(captions)

    def _write(
        self, squares: Sequence[np.ndarray], options: Options, search: SearchOptions
    ) -> list[Caption]:
        photos = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).to(self.device)
        state = self.model.start_from_grid(self.model.encoder(photos).float())
        start = torch.full(
            (len(photos),),
            self.vocabulary.start(options.style or self.styles[0]),
            device=self.device,
        )
        if options.temperature > 0:
            generator = torch.Generator().manual_seed(options.seed)
            wanted = 1 + options.alternatives
            found = sample(self.model.decoder.step, state, start, search, wanted, generator)
        else:
            found = beam_search(self.model.decoder.step, state, start, search)
        if options.consensus:
            found = [by_consensus(hypotheses, self._rarity) for hypotheses in found]
        return [self._best(hypotheses, options.alternatives) for hypotheses in found]

    def _best(self, hypotheses: Sequence[Hypothesis], alternatives: int) -> Caption:
        if not hypotheses:
            raise CaptionerError(
                "no sentence obeys these options; allow more words, more beams or fewer constraints"
            )
        first, *others = (self._caption(hypothesis) for hypothesis in hypotheses)
        return replace(first, alternatives=tuple(others[:alternatives]))

    def _caption(self, hypothesis: Hypothesis) -> Caption:
        words = tuple(self.vocabulary.decode(hypothesis.words))
        side = math.isqrt(hypothesis.attention.shape[-1])
        attention = hypothesis.attention.reshape(len(words), side, side).float().numpy()
        return Caption(
            text=detokenize(words),
            words=words,
            score=math.exp(hypothesis.log_probability / (len(words) + 1)),
            log_probability=hypothesis.log_probability,
            probabilities=tuple(map(math.exp, hypothesis.word_log_probabilities)),
            attention=attention,
        )

    def _known(self, place: str, texts: Sequence[str]) -> tuple[int, ...]:
        """The ids of all words of the texts. Raises CaptionerError for an unknown word, naming its
        place."""
        words = [word for text in texts for word in tokenize(text)]
        for word in words:
            if word not in self.vocabulary.ids:
                raise CaptionerError(
                    f"{place}: the model does not know the word {word!r}; choose another"
                )
        return tuple(self.vocabulary.encode(words))

    def _search_options(self, options: Options) -> SearchOptions:
        """The options in ids. Raises CaptionerError for those that this model cannot follow."""
        vocabulary = self.vocabulary
        if options.style and options.style not in self.styles:
            raise CaptionerError(
                f"style must be one of {', '.join(self.styles)}, not {options.style!r}"
            )
        if options.beam < 1:
            raise CaptionerError(f"beam must be at least 1, not {options.beam}")
        if options.alternatives < 0:
            raise CaptionerError(f"alternatives must not be negative, not {options.alternatives}")
        if not options.temperature >= 0:
            raise CaptionerError(f"temperature must not be negative, not {options.temperature}")
        if not 0 <= options.seed < 2**64:
            raise CaptionerError(f"seed must lie between 0 and 2**64 - 1, not {options.seed}")
        for name in ("include", "avoid"):
            if isinstance(words := getattr(options, name), str):
                raise CaptionerError(f"{name} must be a tuple of words, not the string {words!r}")
        avoided = [word for text in options.avoid for word in tokenize(text)]
        beam = max(options.beam, options.alternatives + 1)
        beam += -beam % max(1, options.groups)
        sampling = options.temperature > 0
        usual = rules(vocabulary)
        return replace(
            usual,
            beam=beam,
            n_best=beam if options.consensus else options.alternatives + 1,
            length_penalty=options.length_penalty,
            exact_stop=False,
            max_words=options.max_words,
            min_words=options.min_words,
            prefix=self._known("the start of the sentence", [options.prefix]),
            required=self._known("the words to include", options.include),
            forbidden=(
                *usual.forbidden,
                *(vocabulary.ids[word] for word in avoided if word in vocabulary.ids),
            ),
            groups=options.groups,
            temperature=options.temperature if sampling else 1.0,
            top_k=options.top_k,
            top_p=options.top_p,
        )


def _fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices faster than fp32 ones."""
    capability = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in capability and torch.ops.mkldnn._is_mkldnn_bf16_supported()
