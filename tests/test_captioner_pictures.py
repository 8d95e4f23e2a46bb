"""Any picture in, a sentence out in its place, whatever stands beside it in the batch."""

import io
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioner import Caption, Captioner, CaptionerError, ImageError, Options
from captioner.images import Allowed, open_image
from tests.tiny import same


def test_every_kind_of_picture(
    tiny_captioner: Captioner, pictures: list[Image.Image], tmp_path: Path
) -> None:
    file = tmp_path / "photo.png"
    pictures[0].save(file)
    kinds: list[Any] = [pictures[0], file, str(file), file.read_bytes(), np.asarray(pictures[0])]
    first, *others = tiny_captioner.caption_many(kinds)
    assert all(same(first, other) for other in others)


def test_odd_pictures(tiny_captioner: Captioner, tmp_path: Path) -> None:
    odd = [
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (4000, 3)),
        Image.new("CMYK", (9, 9)),
        Image.new("I;16", (9, 9)),
        Image.new("RGBA", (9, 9)),
        Image.new("P", (9, 9)),
    ]
    assert all(isinstance(caption, Caption) for caption in tiny_captioner.caption_many(odd))


def test_what_one_picture_may_take(pictures: list[Image.Image], tiny_captioner: Captioner) -> None:
    strict = Captioner(tiny_captioner.engine)
    strict.allowed = Allowed(pixels=pictures[0].width * pictures[0].height - 1)
    with pytest.raises(ImageError, match="pixels allowed"):
        strict.caption(pictures[0])
    assert tiny_captioner.caption(pictures[0]).text


def test_a_turned_photo_is_turned_once(
    pictures: list[Image.Image], tiny_captioner: Captioner
) -> None:
    """However often it is opened on its way: by the page, for instance, and by the captioner."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    pictures[1].save(file, "PNG", exif=exif)
    upright = tiny_captioner.caption(pictures[1].transpose(Image.Transpose.ROTATE_270))
    opened = open_image(file.getvalue())
    for source in (file.getvalue(), opened, open_image(opened), Image.open(file)):
        assert same(tiny_captioner.caption(source), upright)


def test_bytes_of_a_stream(tiny_captioner: Captioner, pictures: list[Image.Image]) -> None:
    stream = io.BytesIO()
    pictures[3].save(stream, "PNG")
    assert same(tiny_captioner.caption(stream.getvalue()), tiny_captioner.caption(pictures[3]))


@pytest.mark.parametrize("batch_size", [2, 3, 7, 50])
@pytest.mark.parametrize("options", [Options(alternatives=1), Options(temperature=1.0)])
def test_a_batch_is_its_photos_one_by_one(
    tiny_captioner: Captioner, pictures: list[Image.Image], batch_size: int, options: Options
) -> None:
    together = list(tiny_captioner.caption_many(pictures, batch_size=batch_size, options=options))
    alone = [tiny_captioner.caption(photo, options) for photo in pictures]
    assert all(map(same, together, alone))


def test_reads_no_more_than_two_batches_ahead(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    asked = count()

    def endless() -> Iterator[Image.Image]:
        while True:
            next(asked)
            yield pictures[0]

    captions = tiny_captioner.caption_many(endless(), batch_size=2)
    assert next(asked) == 0  # nothing is read before the first is wanted
    for given, _ in enumerate(islice(captions, 7)):
        read = int(repr(asked)[6:-1]) - 1
        assert given < read <= 2 * (given // 2 + 3)
    captions.close()


def test_nothing_in_nothing_out(tiny_captioner: Captioner) -> None:
    assert list(tiny_captioner.caption_many([])) == []


def test_pictures_that_cannot_be_read_stand_in_their_place(
    tiny_captioner: Captioner, pictures: list[Image.Image], tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no photo")
    sources = [text, pictures[0], b"", tmp_path / "none.jpg", pictures[1]]
    results = list(tiny_captioner.caption_many(sources, batch_size=2, errors="return"))
    kinds = [type(result) for result in results]
    assert kinds == [ImageError, Caption, ImageError, ImageError, Caption]
    assert str(text) in str(results[0]) and "there is no such file" in str(results[3])
    assert same(results[1], tiny_captioner.caption(pictures[0]))
    assert same(results[4], tiny_captioner.caption(pictures[1]))


def test_pictures_that_cannot_be_read_are_raised_when_they_come(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    captions = tiny_captioner.caption_many([pictures[0], b"text"])
    assert isinstance(next(captions), Caption)
    with pytest.raises(ImageError, match="picture: "):
        next(captions)


def test_what_could_not_be_had_passes_through(
    tiny_captioner: Captioner, pictures: list[Image.Image]
) -> None:
    gone = ImageError("a.jpg", "there is no such file")
    results = list(tiny_captioner.caption_many([pictures[0], gone, pictures[1]], errors="return"))
    assert results[1] is gone and [type(r) for r in results] == [Caption, ImageError, Caption]
    with pytest.raises(ImageError, match=r"a\.jpg: there is no such file"):
        list(tiny_captioner.caption_many([gone]))


@pytest.mark.parametrize(
    "single", ["photo.jpg", Path("photo.jpg"), b"\xff\xd8", np.zeros((4, 4, 3), np.uint8), None]
)
def test_one_picture_is_not_many(tiny_captioner: Captioner, single: Any) -> None:
    with pytest.raises(CaptionerError, match="caption_many takes several pictures"):
        tiny_captioner.caption_many(single)
