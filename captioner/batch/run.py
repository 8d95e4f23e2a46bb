"""The way of many photos through the captioner, failures beside captions, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from captioner.caption import Caption, Options
from captioner.errors import ImageError

if TYPE_CHECKING:
    from captioner.captioner import Captioner


@dataclass(frozen=True, eq=False)
class Result:
    """One photo's row: its caption, or why there is none. Exactly one of the two is there."""

    path: str
    caption: Caption | None = None
    error: str = ""


def caption_photos(
    load: Callable[[], Captioner],
    photos: Iterable[str | ImageError],
    options: Options,
    batch_size: int,
) -> Iterator[Result]:
    """A result for every photo, as soon as its batch is done and in the order of `photos`.

    `load` is called when the first photo is there: where none is, no model is needed to say so.
    """
    waiting: deque[str | ImageError] = deque()

    def readable() -> Iterator[str]:
        for photo in photos:
            waiting.append(photo)
            if isinstance(photo, str):
                yield photo

    def failures() -> Iterator[Result]:
        while waiting and isinstance(failure := waiting[0], ImageError):
            waiting.popleft()
            yield Result(failure.path, error=failure.reason)

    paths = readable()
    first = next(paths, None)
    yield from failures()
    if first is None:
        return
    captions = load().caption_many(
        chain([first], paths), batch_size=batch_size, options=options, errors="return"
    )
    for outcome in captions:
        yield from failures()
        path = str(waiting.popleft())
        if isinstance(outcome, ImageError):
            yield Result(path, error=outcome.reason)
        else:
            yield Result(path, caption=outcome)
    yield from failures()
