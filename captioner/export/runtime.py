"""The captioner of an exported folder: photos in, `Caption` objects out, without torch.

It needs numpy, pillow and onnxruntime. `python -m captioner.export.runtime FOLDER PHOTO...` prints
captions.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from captioner.caption import Caption
from captioner.consensus import by_consensus
from captioner.errors import CaptionerError, ImageError
from captioner.export.beams import Search, Sentence, State, beam_search
from captioner.export.folder import read_notes
from captioner.export.runner import Array, Tensors, open_graph
from captioner.export.sentence import detokenize
from captioner.images import Picture, open_image
from captioner.options import Options

FOLLOWED = (
    "beam", "length_penalty", "consensus", "max_words", "min_words", "alternatives", "style"
)  # fmt: skip


def load(folder: str | os.PathLike[str]) -> ExportedCaptioner:
    """The captioner in a folder that `captioner export` wrote.

    Raises CaptionerError for a folder that is none, and where onnxruntime is missing.
    """
    return ExportedCaptioner(Path(folder))


class ExportedCaptioner:
    """Writes sentences about photos with two graphs."""

    def __init__(self, folder: Path) -> None:
        notes = read_notes(folder)
        graphs = notes["graphs"]
        self.start = open_graph(folder / graphs["start"]["file"], graphs["start"])
        self.step = open_graph(folder / graphs["step"]["file"], graphs["step"])
        self.words: tuple[str, ...] = tuple(notes["words"])
        self.styles: dict[str, int] = notes["styles"]
        self._notes = notes
        self._rows = [t["name"] for t in graphs["step"]["inputs"] if t["shape"][1] == "beams"][1:]

    def caption(self, image: Picture, options: Options = Options()) -> Caption:
        """One picture's caption. Raises ImageError for a picture that cannot be read,
        CaptionerError for options that cannot be followed."""
        caption = next(self.caption_many([image], 1, options))
        assert isinstance(caption, Caption)
        return caption

    def caption_many(
        self,
        images: Iterable[Picture],
        batch_size: int = 16,
        options: Options = Options(),
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[Caption | ImageError]:
        """Captions in the order of `images`, `batch_size` photos at a time, as they are ready.

        With `errors` "return" a picture that cannot be read yields its ImageError, else that is
        raised. Options that are not in FOLLOWED are for the captioner on PyTorch: CaptionerError.
        """
        if batch_size < 1:
            raise CaptionerError(f"batch_size must be at least 1, not {batch_size}")
        if errors not in ("raise", "return"):
            raise CaptionerError(f"errors must be 'raise' or 'return', not {errors!r}")
        search = self._search(options)
        stream = iter(images)
        while batch := [self._read(image) for image in islice(stream, batch_size)]:
            squares = [picture for picture in batch if isinstance(picture, np.ndarray)]
            captions = iter(self._write(squares, options, search) if squares else [])
            for picture in batch:
                if isinstance(picture, ImageError) and errors == "raise":
                    raise picture
                yield picture if isinstance(picture, ImageError) else next(captions)

    def _read(self, image: Picture) -> Array | ImageError:
        """The picture squeezed to the model's square, (S, S, 3) uint8."""
        side = self._notes["pixels"]
        try:
            picture = open_image(image, target=side)
            return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
        except ImageError as error:
            return error

    def _write(self, squares: Sequence[Array], options: Options, search: Search) -> list[Caption]:
        begun = self.start({"photos": np.stack(squares).transpose(0, 3, 1, 2)})
        state = State(
            {name: part for name, part in begun.items() if name not in self._rows},
            {name: begun[name] for name in self._rows},
        )
        start = np.full(len(squares), self.styles[options.style or next(iter(self.styles))])
        found = beam_search(self._step, state, start, search)
        if options.consensus:
            found = [by_consensus(sentences, self._notes["rarity"]) for sentences in found]
        return [self._best(sentences, options.alternatives) for sentences in found]

    def _step(self, words: Array, state: State) -> tuple[Array, Array, State]:
        found: Tensors = self.step({"words": words, **state.photos, **state.beams})
        beams = {name: found[f"next_{name}"] for name in self._rows}
        attention = found.get("attention", np.zeros((*words.shape, 0), np.float32))
        return found["log_probabilities"], attention, State(state.photos, beams)

    def _best(self, sentences: Sequence[Sentence], alternatives: int) -> Caption:
        if not sentences:
            raise CaptionerError(
                "no sentence obeys these options; allow more words, more beams or fewer constraints"
            )
        first, *others = map(self._caption, sentences)
        return replace(first, alternatives=tuple(others[:alternatives]))

    def _caption(self, sentence: Sentence) -> Caption:
        words = tuple(self.words[word] for word in sentence.words)
        side = math.isqrt(sentence.attention.shape[-1])
        return Caption(
            text=detokenize(words),
            words=words,
            score=math.exp(sentence.log_probability / (len(words) + 1)),
            log_probability=sentence.log_probability,
            probabilities=tuple(map(math.exp, sentence.word_log_probabilities)),
            attention=sentence.attention.reshape(len(words), side, side),
        )

    def _search(self, options: Options) -> Search:
        """The options in ids. Raises CaptionerError for those that cannot be followed."""
        for field in fields(Options):
            if field.name not in FOLLOWED and getattr(options, field.name) != field.default:
                raise CaptionerError(
                    f"{field.name} is an option of the captioner on PyTorch, not of an exported one"
                )
        if options.style and options.style not in self.styles:
            raise CaptionerError(
                f"style must be one of {', '.join(self.styles)}, not {options.style!r}"
            )
        for name, least in (("beam", 1), ("alternatives", 0), ("max_words", 1), ("min_words", 0)):
            if getattr(options, name) < least:
                raise CaptionerError(
                    f"{name} must be at least {least}, not {getattr(options, name)}"
                )
        if not options.length_penalty >= 0:
            raise CaptionerError(
                f"length_penalty must not be negative, not {options.length_penalty}"
            )
        if options.min_words > options.max_words:
            raise CaptionerError(
                f"min_words must not exceed max_words ({options.max_words}),"
                f" not {options.min_words}"
            )
        beam = max(options.beam, options.alternatives + 1)
        return Search(
            end=self._notes["end"],
            forbidden=tuple(self._notes["forbidden"]),
            not_last=tuple(self._notes["not_last"]),
            no_repeat=self._notes["no_repeat"],
            beam=beam,
            n_best=beam if options.consensus else options.alternatives + 1,
            length_penalty=options.length_penalty,
            max_words=options.max_words,
            min_words=options.min_words,
        )


def main() -> None:
    """Print a line for each photo: its path and its caption."""
    parser = argparse.ArgumentParser("python -m captioner.export.runtime")
    parser.add_argument("folder", help="what captioner export wrote")
    parser.add_argument("photos", nargs="+", metavar="photo")
    parser.add_argument("--beam", type=int, default=Options.beam, help="1: greedy search")
    given = parser.parse_args()
    failed = False
    try:
        captioner = load(given.folder)
        captions = captioner.caption_many(
            given.photos, options=Options(beam=given.beam), errors="return"
        )
        for photo, caption in zip(given.photos, captions, strict=True):
            if isinstance(caption, ImageError):
                failed = True
                print(f"captioner: {caption}", file=sys.stderr)
            else:
                print(photo, caption.text, sep="\t", flush=True)
    except CaptionerError as error:
        sys.exit(f"captioner: {error}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
