"""The way of many photos through the captioner, failures beside captions, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING

from captioner.ahead import is_heavy
from captioner.batch.fields import with_facts
from captioner.batch.result import PhotoResult
from captioner.caption import Caption
from captioner.confidence import why_withheld
from captioner.datasets.photos.photo import Photo
from captioner.errors import CaptionerError, ImageError
from captioner.images import USUAL, Allowed, open_image
from captioner.options import Options

if TYPE_CHECKING:
    from captioner.captioner import Captioner

FETCHERS = 16
"""Threads that fetch what is far away: they wait for answers most of the time."""

Item = Photo | ImageError


def caption_photos(
    load: Callable[[], Captioner],
    photos: Iterable[Item],
    options: Options,
    batch_size: int,
    stopped: Callable[[], bool] = lambda: False,
    allowed: Allowed = USUAL,
    keep: bool = False,
) -> Iterator[PhotoResult]:
    """A result for every photo, as soon as its batch is done and in the order of `photos`.

    `load` is called once there is a photo that can be read: where none is, no model is needed to
    say so. Once `stopped`, the batch at hand is the last. A photo that could not be had goes
    through the captioner as its error: its row keeps its place and waits for no other, and a batch
    holds the same photos whether a run starts before it or with it, which the last digits of a
    score depend on. `allowed` is how much one photo may take. Large ones out of archives are let
    go of when they have been looked at, unless results are to `keep` them.
    """
    stream = iter(photos)
    for before, first in enumerate(stream):
        refused = _refused(first, allowed)
        if refused is None:
            break
        yield refused
        if (before + 1) % batch_size == 0 and stopped():
            return
    else:
        return
    waiting: deque[Item] = deque()
    told = before % batch_size  # of the first batch's photos, without the model

    def pictures() -> Iterator[str | bytes | ImageError]:
        yield from repeat(ImageError("", "was told of"), told)
        for item in chain([first], stream):
            picture = _picture(item)
            if isinstance(item, Photo) and is_heavy(picture) and not keep:
                item = replace(item, content=b"")
            waiting.append(item)
            del item
            yield picture

    captioner = load()
    captioner.allowed = allowed
    outcomes = captioner.caption_many(
        pictures(), batch_size=batch_size, options=options, errors="return"
    )
    for number, outcome in enumerate(islice(outcomes, told, None), told + 1):
        yield _result(waiting.popleft(), outcome)
        if number % batch_size == 0 and stopped():
            return


def prepared(
    photos: Iterable[Item], facts: Collection[str] = (), allowed: Allowed = USUAL
) -> Iterator[Item]:
    """The photos in order, each at hand as a path or as bytes, and with those facts about it.

    What takes time is done by threads, at most two photos ahead for each of them.
    """
    work = partial(with_facts, wanted=facts, allowed=allowed)
    pending: deque[Future[Item]] = deque()
    with ThreadPoolExecutor(FETCHERS) as threads:
        try:
            for item in photos:
                slow = isinstance(item, Photo) and (bool(facts) or callable(item.content))
                heavy = isinstance(item, Photo) and is_heavy(item.content)
                pending.append(threads.submit(work, item) if slow else _at_hand(item))
                del item
                while pending and (heavy or len(pending) > 2 * FETCHERS or pending[0].done()):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            threads.shutdown(cancel_futures=True)


def withheld(result: PhotoResult, least: float) -> PhotoResult:
    """The result, but without a sentence of less confidence than `least`, with the reason instead.

    Raises CaptionerError for a model that does not know how sure it is.
    """
    if result.caption is None or not least:
        return result
    sure = result.caption.confidence
    if sure is None:
        raise CaptionerError(
            "--min-confidence: this model cannot tell how sure it is; leave it out, or take another"
            " model."
        )
    if sure >= least:
        return result
    facts = {**result.facts, "confidence": sure}
    return replace(result, caption=None, error=why_withheld(sure), facts=facts, unsure=True)


@dataclass(frozen=True)
class Wording:
    """How a sentence is written: in small letters if `lower`, without its full stop, and between
    what is to stand before and after it."""

    before: str = ""
    after: str = ""
    lower: bool = False
    full_stop: bool = True

    def of(self, sentence: str) -> str:
        text = sentence.lower() if self.lower else sentence
        text = text if self.full_stop else text.removesuffix(".")
        return f"{self.before}{text}{self.after}"


def worded(result: PhotoResult, wording: Wording) -> PhotoResult:
    """The result with each of its sentences written so."""
    if result.caption is None or wording == Wording():
        return result

    def write(caption: Caption) -> Caption:
        return replace(caption, text=wording.of(caption.text))

    others = tuple(map(write, result.caption.alternatives))
    return replace(result, caption=replace(write(result.caption), alternatives=others))


def _at_hand(item: Item) -> Future[Item]:
    future: Future[Item] = Future()
    future.set_result(item)
    return future


def _picture(item: Item) -> str | bytes | ImageError:
    if isinstance(item, ImageError):
        return item
    assert not callable(item.content), "prepared() comes first"
    return item.content


def _refused(item: Item, allowed: Allowed) -> PhotoResult | None:
    """The row of what cannot be read, told without a model."""
    picture = _picture(item)
    if isinstance(picture, ImageError):
        return _result(item, picture)
    try:
        open_image(picture, target=1, allowed=allowed)  # whether it can be read, not what it shows
    except ImageError as error:
        return _result(item, error)
    return None


def _result(item: Item, outcome: Caption | ImageError) -> PhotoResult:
    if isinstance(item, ImageError):
        return PhotoResult(item.path, error=item.reason)
    if isinstance(outcome, ImageError):
        return PhotoResult(item.path, error=outcome.reason, facts=item.facts, kept=item.kept)
    picture = _picture(item)
    assert not isinstance(picture, ImageError), "such a photo has no caption"
    return PhotoResult(item.path, outcome, facts=item.facts, kept=item.kept, picture=picture)
