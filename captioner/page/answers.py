"""What the page answers about one photo: its caption, or one from each model, as plain JSON."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from PIL import Image

from captioner.caption import Caption
from captioner.confidence import in_words
from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.search import ARCHIVES
from captioner.errors import CaptionerError, ImageError
from captioner.images import open_image
from captioner.images.inline import data_url
from captioner.options import Options
from captioner.page.options import read_options
from captioner.page.uploads import Upload
from captioner.page.worker import ModelWorker

SMALL, LARGE = 240, 1280  # longest side of a picture that the page sends back, pixels
SEEN = 512  # a JPEG is decoded no larger than that its shorter side has so many pixels

Answer = dict[str, Any]
_DECODING = Lock()  # one picture at a time, whoever sent it: its memory is all that is ever used


def answer(
    worker: ModelWorker, upload: Upload | None, given: dict[str, Any] | None = None
) -> Answer:
    """The photo's caption, or an `error`."""

    def captioned(photo: Image.Image, options: Options) -> Answer:
        avoided = {"avoided": list(worker.first.avoided(options.avoid))} if options.avoid else {}
        return avoided | as_json(worker.caption([photo], options)[0])

    return _answer(upload, given, captioned)


def compare(worker: ModelWorker, upload: Upload | None, given: dict[str, Any] | None) -> Answer:
    """The same photo under every model: {"models": [{"name", caption …}]}, or an `error`."""

    def compared(photo: Image.Image, options: Options) -> Answer:
        models = []
        for index, name in enumerate(worker.names):
            caption = worker.caption([photo], options, index)[0]
            departure = _departure(worker, photo, caption, index)
            models.append({"name": name} | as_json(caption) | departure)
        return {"models": models}

    return _answer(upload, given, compared)


def _answer(
    upload: Upload | None,
    given: dict[str, Any] | None,
    say: Callable[[Image.Image, Options], Answer],
) -> Answer:
    """What is said of the photo under these options, with its preview where one is wanted."""
    try:
        options, preview = read_options(given)
        photo = open_upload(upload, LARGE if preview else SEEN)
    except CaptionerError as error:
        return {"error": str(error)}
    return ({"preview": data_url(photo, LARGE)} if preview else {}) | say(photo, options)


def _departure(
    worker: ModelWorker, photo: Image.Image, caption: Caption | CaptionerError, model: int
) -> Answer:
    """Where a sentence first says what the first model holds for improbable: {"departs": word's
    place, "doubt": the first model's probability of it}. Nothing where it nowhere does."""
    if not model or isinstance(caption, CaptionerError):
        return {}
    reading = Options(
        prefix=" ".join(caption.words), beam=1, consensus=False, max_words=len(caption.words)
    )
    read = worker.caption([photo], reading)[0]
    if isinstance(read, CaptionerError) or read.words[: len(caption.words)] != caption.words:
        return {}
    for place, probability in enumerate(read.probabilities[: len(caption.words)]):
        if probability < IMPROBABLE:
            return {"departs": place, "doubt": round(probability, 5)}
    return {}


IMPROBABLE = 0.01  # one chance in a hundred


def open_upload(upload: Upload | None, side: int = SEEN) -> Image.Image:
    """The uploaded photo, as `open_photo` gives it. Raises ImageError under its sender's name."""
    if upload is None:
        raise ImageError("photo", "there is none; send one")
    if upload.name.lower().endswith(ARCHIVES):
        raise ImageError(upload.name, "is an archive; give it to /caption_batch or to Many photos")
    return open_photo(Photo(upload.name, upload.path), side)


def open_photo(photo: Photo, side: int = SEEN) -> Image.Image:
    """The photo upright, in RGB, at most LARGE pixels long; a JPEG is decoded so that its shorter
    side has `side` pixels at least, if it has so many. Raises ImageError under the photo's path."""
    with _DECODING:
        picture = open_image(photo.read(), photo.path, target=side)
        picture.thumbnail((LARGE, LARGE), reducing_gap=2)
    return picture


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
        "attention": maps_as_json(caption),
        **sureness(caption),
        "choices": [[[word, round(p, 5)] for word, p in place] for place in caption.choices],
        "alternatives": [as_json(other) for other in caption.alternatives],
    }


def maps_as_json(caption: Caption) -> list[list[list[float]]]:
    """Where the model looked: T maps (rows, columns), five digits each. None without attention."""
    return [rows.astype(float).round(5).tolist() for rows in caption.attention if rows.size]


def sureness(caption: Caption) -> Answer:
    """How sure the model is: {"confidence", "sure"}, the second in words; None and "" from a model
    that has no figures for it."""
    confidence = caption.confidence
    if confidence is None:
        return {"confidence": None, "sure": ""}
    return {"confidence": round(confidence, 5), "sure": in_words(confidence)}
