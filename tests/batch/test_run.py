"""The way through the captioner against a loop that takes the photos one by one."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from captioner.batch.run import Result, caption_photos
from captioner.caption import Caption, Options
from captioner.errors import ImageError
from tests.batch.fakes import sentence

# What becomes of a photo: found and read, found and broken, not found.
FATES = st.lists(st.sampled_from(["fine", "broken", "missing"]), max_size=30)


class Scripted:
    """Captions the names that start with "fine", a batch at a time."""

    def caption_many(
        self, images: Iterable[Any], batch_size: int, options: Options, errors: str
    ) -> Iterator[Caption | ImageError]:
        assert errors == "return"
        stream = iter(images)
        while batch := list(islice(stream, batch_size)):
            for name in batch:
                yield sentence(name) if name.startswith("fine") else ImageError(name, "broken")


def source(fates: list[str]) -> Iterator[str | ImageError]:
    for number, fate in enumerate(fates):
        name = f"{fate}{number}"
        yield ImageError(name, "missing") if fate == "missing" else name


def run(photos: Iterable[str | ImageError], batch_size: int) -> Iterator[Result]:
    return caption_photos(Scripted, photos, Options(), batch_size)  # type: ignore[arg-type]


@given(fates=FATES, batch_size=st.integers(1, 7))
def test_a_result_for_every_photo_in_order(fates: list[str], batch_size: int) -> None:
    rows = list(run(source(fates), batch_size))
    assert [row.path for row in rows] == [f"{fate}{i}" for i, fate in enumerate(fates)]
    for row, fate in zip(rows, fates, strict=True):
        if fate == "fine":
            assert row.caption is not None and row.caption.words == (row.path,)
            assert row.error == ""
        else:
            assert row.caption is None and row.error == fate


def test_the_model_waits_for_a_photo() -> None:
    def no_model() -> Any:
        raise AssertionError("loaded for nothing")

    rows = list(caption_photos(no_model, source(["missing"] * 3), Options(), 2))
    assert [row.error for row in rows] == ["missing"] * 3


def test_an_endless_source_streams() -> None:
    taken = 0

    def endless() -> Iterator[str | ImageError]:
        nonlocal taken
        while True:
            taken += 1
            yield f"fine{taken}"

    rows = run(endless(), batch_size=4)
    assert [row.path for row in islice(rows, 10)] == [f"fine{i}" for i in range(1, 11)]
    assert taken <= 12
