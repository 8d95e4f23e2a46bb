"""Between the page and the models: one worker runs them, everybody else waits for it."""

from __future__ import annotations

import base64
import io
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from captioner.caption import Caption
from captioner.errors import CaptionerError, ImageError
from captioner.images import open_image
from captioner.options import Options
from captioner.page.options import read_options
from captioner.page.uploads import Upload

if TYPE_CHECKING:
    from captioner.captioner import Captioner

BATCH = 8  # photos that go through a model together
SMALL, LARGE = 240, 1280  # longest side of a picture that the page sends back, pixels
SEEN = 512  # a JPEG is decoded no larger than that its shorter side has so many pixels

Answer = dict[str, Any]


class Engine:
    """The models behind the page.

    All of them run on one thread: photos that wait are captioned together, no two runs of a model
    compete for the cores, and the memory of one run is all that is ever used.
    """

    def __init__(self, captioners: Sequence[Captioner], family: Sequence[Path] = ()) -> None:
        """`family` are checkpoints to compare with, loaded when they are first asked for."""
        if not captioners:
            raise CaptionerError("The page needs at least one model.")
        self.first = captioners[0]
        self.names = [c.name for c in captioners] + [file.stem for file in family]
        self.has_family = bool(family)
        self._models: list[Captioner | Path] = [*captioners, *family]
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="captioner")

    def caption(
        self, photos: Sequence[Image.Image], options: Options, model: int = 0
    ) -> list[Caption | CaptionerError]:
        """For each photo its caption, or why the model cannot follow the options there."""
        return self._worker.submit(self._run, list(photos), options, model).result()

    def _run(
        self, photos: list[Image.Image], options: Options, model: int
    ) -> list[Caption | CaptionerError]:
        try:
            return list(self._model(model).caption_many(photos, BATCH, options))
        except CaptionerError as error:
            if len(photos) == 1:
                return [error]
            return [self._run([photo], options, model)[0] for photo in photos]

    def _model(self, index: int) -> Captioner:
        model = self._models[index]
        if isinstance(model, Path):
            from captioner.captioner import load

            model = self._models[index] = load(model)
        return model

    def answer(
        self,
        uploads: Sequence[Upload | ImageError | None],
        wishes: Sequence[dict[str, Any] | None] | None = None,
    ) -> list[list[Answer]]:
        """The answers to requests that waited together, each a caption or an `error`.

        One request's bad photo or bad options are its own affair: the others get their captions.
        In a list of its own, as gradio wants the one output of a batched function.
        """
        answers: list[Answer] = [{} for _ in uploads]
        groups: dict[Options, list[tuple[int, Image.Image]]] = defaultdict(list)
        for index, (upload, wish) in enumerate(
            zip(uploads, wishes or [None] * len(uploads), strict=True)
        ):
            try:
                options, preview = read_options(wish)
                photo = open_upload(upload, LARGE if preview else SEEN)
            except CaptionerError as error:
                answers[index] = {"error": str(error)}
                continue
            if preview:
                answers[index]["preview"] = data_url(photo, LARGE)
            groups[options].append((index, photo))
        for options, waiting in groups.items():
            captions = self.caption([photo for _, photo in waiting], options)
            for (index, _), caption in zip(waiting, captions, strict=True):
                answers[index] |= as_json(caption)
        return [answers]

    def compare(self, upload: Upload | ImageError | None, wish: dict[str, Any] | None) -> Answer:
        """The same photo under every model: {"models": [{"name", caption …}]}, or an `error`."""
        try:
            options, preview = read_options(wish)
            photo = open_upload(upload, LARGE if preview else SEEN)
        except CaptionerError as error:
            return {"error": str(error)}
        models = [
            {"name": name} | as_json(self.caption([photo], options, index)[0])
            for index, name in enumerate(self.names)
        ]
        return {"models": models} | ({"preview": data_url(photo, LARGE)} if preview else {})


def open_upload(upload: Upload | ImageError | None, side: int = SEEN) -> Image.Image:
    """The uploaded photo, upright, in RGB and with `side` pixels at least on its shorter side, if
    it has so many. Raises ImageError under the name it came with."""
    if upload is None:
        raise ImageError("photo", "there is none: send one")
    if isinstance(upload, ImageError):
        raise upload
    return open_image(upload.source(), upload.name, target=side)


def as_json(caption: Caption | CaptionerError) -> Answer:
    """The caption as plain JSON; its attention (T, rows, columns) as lists, five digits each.

    That of a decoder without attention is an empty list.
    """
    if isinstance(caption, CaptionerError):
        return {"error": str(caption)}
    return {
        "caption": caption.text,
        "words": list(caption.words),
        "score": round(caption.score, 5),
        "log_probability": round(caption.log_probability, 5),
        "probabilities": [round(probability, 5) for probability in caption.probabilities],
        "attention": [
            [[round(float(cell), 5) for cell in row] for row in rows]
            for rows in caption.attention
            if rows.size
        ],
        "alternatives": [as_json(other) for other in caption.alternatives],
    }


def data_url(photo: Image.Image, side: int) -> str:
    """The photo, at most `side` pixels long, as a JPEG inside an address."""
    small = photo.copy()
    small.thumbnail((side, side), reducing_gap=2)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
