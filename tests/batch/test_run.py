"""The way through the captioner against a loop that takes the photos one by one."""

import gc
import hashlib
import os
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from captioner import ahead
from captioner.batch.result import PhotoResult
from captioner.batch.run import Item, Wording, caption_photos, prepared, withheld, worded
from captioner.caption import Caption
from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.stream import photos
from captioner.errors import CaptionerError, ImageError, kept
from captioner.images import open_image
from captioner.options import Options
from tests.batch.fakes import sentence

# What becomes of a photo: found and read, found and broken, not found.
FATES = st.lists(st.sampled_from(["fine", "broken", "missing"]), max_size=30)


def tiny(name: str) -> bytes:
    """A picture of one pixel, with its name in a comment."""
    return f"P6\n#{name}\n1 1\n255\n\0\0\0".encode()


def name_in(picture: bytes | ImageError) -> str:
    if isinstance(picture, ImageError) or not picture.startswith(b"P6"):
        return ""
    return picture.split(b"\n")[1][1:].decode()


class Scripted:
    """Captions the tiny pictures by their names, a batch at a time."""

    def caption_many(
        self, images: Iterable[Any], batch_size: int, options: Options, errors: str
    ) -> Iterator[Caption | ImageError]:
        assert errors == "return"
        stream = iter(images)
        while batch := list(islice(stream, batch_size)):
            for picture in batch:
                name = name_in(picture)
                yield sentence(name) if name else ImageError("", "is no picture")


def source(fates: list[str]) -> Iterator[Item]:
    for number, fate in enumerate(fates):
        name = f"{fate}{number}"
        content = tiny(name) if fate == "fine" else b"broken"
        yield ImageError(name, "missing") if fate == "missing" else Photo(name, content)


def run(photos: Iterable[Item], batch_size: int, **more: Any) -> Iterator[PhotoResult]:
    return caption_photos(Scripted, photos, Options(), batch_size, **more)  # type: ignore[arg-type]


@given(fates=FATES, batch_size=st.integers(1, 7))
def test_a_result_for_every_photo_in_order(fates: list[str], batch_size: int) -> None:
    rows = list(run(source(fates), batch_size))
    assert [row.path for row in rows] == [f"{fate}{i}" for i, fate in enumerate(fates)]
    for row, fate in zip(rows, fates, strict=True):
        if fate == "fine":
            assert row.caption is not None and row.caption.words == (row.path,)
            assert row.error == ""
        else:
            assert row.caption is None
            assert row.error == "missing" if fate == "missing" else "picture" in row.error


def test_the_model_waits_for_a_photo_that_can_be_read() -> None:
    def no_model() -> Any:
        raise AssertionError("loaded for nothing")

    facts = {"bytes": 6}
    photos = [*source(["missing"] * 3), Photo("notes.md", b"Dear ", facts)]
    rows = list(caption_photos(no_model, photos, Options(), 2))
    assert [row.error for row in rows[:3]] == ["missing"] * 3
    assert rows[3].error.startswith("holds text") and rows[3].facts == facts


def test_an_endless_source_streams_whatever_it_brings() -> None:
    for kind in ("fine", "missing"):
        taken = 0

        def endless(kind: str = kind) -> Iterator[Item]:
            nonlocal taken
            yield Photo("fine0", tiny("fine0"))
            while True:
                taken += 1
                yield from source([kind])

        rows = run(endless(), batch_size=4)
        assert len(list(islice(rows, 10))) == 10
        assert taken <= 12


@given(fates=FATES, batch_size=st.integers(1, 7), after=st.integers(0, 20))
def test_stopping_ends_with_a_batch(fates: list[str], batch_size: int, after: int) -> None:
    """Whatever came before the stop is there, and nothing beyond the batch it came in."""
    rows: list[PhotoResult] = []
    for row in run(source(fates), batch_size, stopped=lambda: len(rows) >= after):
        rows.append(row)
    assert [row.path for row in rows] == [f"{fate}{i}" for i, fate in enumerate(fates)][: len(rows)]
    assert len(rows) >= min(after, len(fates))
    assert len(rows) <= after + batch_size


@given(fates=FATES, batch_size=st.integers(1, 7), batches=st.integers(0, 4))
def test_a_run_that_starts_later_has_the_same_batches(
    fates: list[str], batch_size: int, batches: int
) -> None:
    class Batched(Scripted):
        """Says with each photo what else is in its batch."""

        def caption_many(
            self, images: Iterable[Any], batch_size: int, options: Options, errors: str
        ) -> Iterator[Caption | ImageError]:
            stream = iter(images)
            while batch := list(islice(stream, batch_size)):
                words = [name for name in map(name_in, batch) if name]
                for place, picture in enumerate(batch):
                    fine = name_in(picture)
                    yield sentence(*words, str(place)) if fine else ImageError("", "no picture")

    def rows(photos: Iterable[Item]) -> list[tuple[str, tuple[str, ...]]]:
        found = caption_photos(Batched, photos, Options(), batch_size)  # type: ignore[arg-type]
        return [(row.path, row.caption.words if row.caption else ()) for row in found]

    done = batches * batch_size
    assert rows(islice(source(fates), done, None)) == rows(source(fates))[done:]


def test_what_is_far_away_is_fetched_by_many_threads_and_stays_in_order() -> None:
    running, lock, enough = 0, threading.Lock(), threading.Event()

    def fetch(number: int) -> bytes:
        nonlocal running
        with lock:
            running += 1
            if running > 3:
                enough.set()
        assert enough.wait(60), "fetched one after the other"
        time.sleep(0.02)
        with lock:
            running -= 1
        if number % 7 == 3:
            raise ImageError(f"far{number}", "gone")
        return bytes([number])

    taken = 0

    def far() -> Iterator[Item]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield Photo(f"far{number}", lambda n=number: fetch(n))  # type: ignore[misc]

    found = prepared(far())
    first = next(found)
    assert isinstance(first, Photo) and first.content == bytes([0])
    assert taken < 50, "read too far ahead"
    rest = list(found)
    assert [item.path for item in rest] == [f"far{number}" for number in range(1, 100)]
    for number, item in enumerate(rest, 1):
        assert isinstance(item, Photo)
        if number % 7 == 3:
            assert isinstance(item.content, ImageError)
        else:
            assert item.content == bytes([number])


def test_what_is_near_passes_by_without_a_thread() -> None:
    photos = [Photo(str(i), str(i)) for i in range(3)]
    endless = iter(photos)
    assert next(prepared(endless)) is photos[0]
    assert next(endless) is photos[1]


def test_facts_about_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    data = path.read_bytes()
    os.mkfifo(tmp_path / "pipe.jpg")
    items: list[Item] = [
        Photo("a", str(path)),
        Photo("b", data),
        Photo("c", str(tmp_path / "gone.jpg")),
        Photo("d", str(tmp_path / "pipe.jpg")),
        Photo("e", b"no picture"),
    ]
    a, b, c, d, e = (item.facts for item in prepared(items, ["size", "bytes", "sha256"]))  # type: ignore[union-attr]
    whole = {"size": [30, 40], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert a == b == whole
    assert c == d == {}
    assert e == {"bytes": 10, "sha256": hashlib.sha256(b"no picture").hexdigest()}


def test_prefix_and_suffix_are_put_around_every_sentence() -> None:
    result = worded(
        PhotoResult("a", sentence("a", "dog", alternatives=2)), Wording("photo of ", ", 4k")
    )
    assert result.caption is not None
    texts = [c.text for c in (result.caption, *result.caption.alternatives)]
    assert texts == [
        "photo of A dog., 4k",
        "photo of Another 0 a dog., 4k",
        "photo of Another 1 a dog., 4k",
    ]
    assert result.caption.words == ("a", "dog")
    broken = PhotoResult("b", error="broken")
    assert worded(broken, Wording("x", "y")) is broken


def test_small_letters_and_no_full_stop_are_for_the_sentence_alone() -> None:
    wording = Wording("A SKS woman, ", ", masterpiece.", lower=True, full_stop=False)
    assert (
        wording.of("A giraffe in a forest.") == "A SKS woman, a giraffe in a forest, masterpiece."
    )


def test_below_the_least_confidence_there_is_a_reason_and_no_sentence() -> None:
    def of(confidence: float | None) -> PhotoResult:
        return PhotoResult(
            "a", replace(sentence("a", "dog"), confidence=confidence), kept={"id": 1}
        )

    for confidence, reason in ((0.05, "hardly a photo"), (0.2, "unsure"), (0.49, "unsure")):
        result = withheld(of(confidence), 0.5)
        assert (result.caption, result.error, result.unsure) == (None, reason, True)
        assert result.facts["confidence"] == confidence and result.kept == {"id": 1}
    for result, least in ((of(0.5), 0.5), (of(None), 0.0), (PhotoResult("b", error="x"), 0.5)):
        assert withheld(result, least) is result
    with pytest.raises(CaptionerError, match="cannot tell how sure"):
        withheld(of(None), 0.5)


def test_large_pictures_out_of_an_archive_are_in_memory_one_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Twenty members of 250 MB, packed to 5 MB in all, took 5.6 GB as batches were read ahead."""
    monkeypatch.setattr(ahead, "HEAVY", 1_000_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(f"{number}.png", b"\x89PNG" + bytes(4_000_000))
    items = prepared(photos([str(tmp_path / "a.zip")]), facts=["sha256"])
    gc.collect()
    gc.disable()  # what is let go of only by it stays for long
    tracemalloc.start()
    try:
        pictures = (item.content for item in items)
        rows = ahead.ahead(pictures, 4, _opened, list)
        errors = [error for batch in rows for error in batch]
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        gc.enable()
    assert len(errors) == 10 and peak < 24_000_000


def _opened(picture: bytes) -> Exception | None:
    try:
        open_image(picture)
    except ImageError as error:
        return kept(error)
    return None
