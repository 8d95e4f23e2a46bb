"""What Pillow alone reads wrong without a word comes out as the file means it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from captioner.errors import ImageError
from captioner.images import open_image, picture_size
from tests.images.made import chunk, cmyk_profile, png, tiff

Share = npt.NDArray[np.float64]


def share(samples: int, height: int = 30, width: int = 40) -> Share:
    return np.random.default_rng(samples).random((height, width, samples))


def as_numbers(values: Share, number: str) -> npt.NDArray[Any]:
    return np.round(values * np.iinfo(number).max).astype(number)


def grey(values: Share) -> Share:
    return np.repeat(values[..., :1], 3, 2)


def over_white(colour: Share, alpha: Share) -> Share:
    return colour * alpha + 1 - alpha


SAMPLES = {  # what a file's samples, each from 0 to 1, look like by the TIFF 6.0 specification
    "rgb": (3, 2, (), lambda s: s),
    "rgb and more": (4, 2, (0,), lambda s: s[..., :3]),
    "rgb with alpha": (4, 2, (2,), lambda s: over_white(s[..., :3], s[..., 3:])),
    "cmyk": (4, 5, (), lambda s: (1 - s[..., :3]) * (1 - s[..., 3:])),
    "white is 0": (1, 0, (), lambda s: 1 - grey(s)),
    "black is 0": (1, 1, (), lambda s: grey(s)),
    "grey with alpha": (2, 1, (2,), lambda s: over_white(grey(s), s[..., 1:])),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("number", ["uint8", "uint16"])
@pytest.mark.parametrize("planar", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
def test_uncompressed_tiff_is_read_right_or_refused(
    kind: str, number: str, planar: int, order: str
) -> None:
    samples, photometric, extra, seen = SAMPLES[kind]
    values = share(samples)
    data = tiff(as_numbers(values, number), photometric, planar=planar, order=order, extra=extra)
    try:
        found = open_image(data)
    except ImageError:
        assert kind in ("rgb and more", "grey with alpha", "white is 0"), "these Pillow can read"
    else:
        assert np.abs(np.asarray(found) - seen(values) * 255).max() < 3


@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_sixteen_bits_are_read(order: str, tmp_path: Path) -> None:
    values = share(3)
    data = tiff(as_numbers(values, "uint16"), 2, planar=2, order=order)
    (tmp_path / "planes.tif").write_bytes(data)
    for source in (data, tmp_path / "planes.tif", Image.open(io.BytesIO(data))):
        assert np.abs(np.asarray(open_image(source)) - values * 255).max() < 1.01


def test_negatives_of_many_bits() -> None:
    values = share(1)
    for numbers, kind in ((as_numbers(values, "uint16"), 1), (values.astype(np.float32), 3)):
        data = tiff(numbers, 0, sample_format=kind)
        assert np.abs(np.asarray(open_image(data)) - 255 * (1 - grey(values))).max() < 1.01


def test_numbers_of_32_bits_without_a_sign() -> None:
    values = share(1)
    data = tiff(as_numbers(values, "uint32"), 1)
    assert np.abs(np.asarray(open_image(data)) - 255 * grey(values)).max() < 2


def test_numbers_with_a_sign() -> None:
    values = np.round(share(1) * 32_767).astype(np.int16)
    values[0, :5] = -300
    values[1, 0] = 32_767
    found = np.asarray(open_image(tiff(values, 1, sample_format=2)))
    assert np.abs(found - np.repeat(values.clip(0), 3, 2) / 32_767 * 255).max() < 1
    with pytest.raises(ImageError, match="misread"):
        open_image(tiff((values // 256).astype(np.int8), 1, sample_format=2))


def test_floats_that_overshoot_a_little_are_not_taken_for_another_scale() -> None:
    values = np.minimum(share(1), 0.99)
    values[0, 0] = 1.0005
    data = tiff(values.astype(np.float32), 1, sample_format=3)
    assert np.abs(np.asarray(open_image(data)) - 255 * grey(values)).max() < 1.2


def test_a_palette_written_in_8_bits() -> None:
    index = (np.indices((6, 8)).sum(0) % 3).astype(np.uint8)[..., None]
    colours = np.zeros((3, 256), int)
    colours[:, :3] = [[250, 30, 50], [10, 240, 60], [20, 40, 230]]
    for scale in (1, 257):
        table = tuple((colours * scale).ravel().tolist())
        found = np.asarray(open_image(tiff(index, 3, more={320: table})))
        assert np.array_equal(found, colours.T[index[..., 0]])


YCBCR = np.full((32, 48, 3), (91, 110, 205), np.uint8)  # BT.601: R = 91 + 1.402 · 77 = 199


def test_ycbcr_is_not_shown_as_rgb() -> None:
    whole = open_image(tiff(YCBCR, 6, more={530: (1, 1)}))
    assert np.abs(np.asarray(whole)[0, 0].astype(int) - (199, 42, 59)).max() <= 2
    with pytest.raises(ImageError, match="misread; save it as PNG"):
        open_image(tiff(YCBCR, 6, planar=2, more={530: (1, 1)}))


# --- which page, which frame --------------------------------------------------------------------


def page(height: int, width: int, level: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize(
    ("pages", "subfiles", "chosen"),
    [
        ([page(30, 40, 1), page(300, 400, 2)], (1, 0), 2),  # marked
        ([page(30, 40, 1), page(301, 399, 2)], (), 2),  # unmarked, of the same proportions
        ([page(30, 40, 1), page(90, 120, 2), page(300, 400, 3)], (), 3),
        ([page(300, 400, 1), page(30, 40, 2)], (0, 1), 1),  # the photo, then its thumbnail
        ([page(300, 400, 1), page(300, 400, 2)], (), 1),  # two pages of a document
        ([page(30, 40, 1), page(300, 200, 2)], (), 1),  # two pictures that have nothing in common
        ([page(30, 40, 1), page(60, 80, 2)], (0, 1), 1),  # marked as the copy, whatever its size
    ],
    ids=str,
)
def test_a_thumbnail_before_the_photo_is_passed_over(
    pages: list[npt.NDArray[np.uint8]], subfiles: tuple[int, ...], chosen: int
) -> None:
    data = tiff(pages, 2, subfiles=subfiles)
    found = open_image(data)
    assert np.array_equal(np.asarray(found), pages[chosen - 1])
    assert picture_size(data) == found.size


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
@pytest.mark.parametrize("from_colour", [0, 255])
def test_an_animation_that_fades_in(kind: str, from_colour: int) -> None:
    picture = np.zeros((20, 30, 3))
    picture[:, 15:] = (255, 250, 240)
    frames = [
        Image.fromarray((from_colour + (picture - from_colour) * part).astype(np.uint8))
        for part in (0, 0.1, 0.6, 1)
    ]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], **options)
    found = np.asarray(open_image(file.getvalue()))
    assert np.abs(found.astype(int) - np.asarray(frames[2])).max() <= 4


def test_an_animation_that_never_shows_anything_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("navy", "maroon")]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert open_image(file.getvalue()).getpixel((0, 0)) == (0, 0, 128)


# --- colours ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize("inverted", [False, True])
def test_inks_are_what_their_profile_says(kind: str, inverted: bool) -> None:
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, 16:] = 255
    file = io.BytesIO()
    Image.fromarray(inks, mode="CMYK").save(file, kind, icc_profile=cmyk_profile(inverted))
    left, right = (open_image(file.getvalue()).getpixel(place) for place in ((2, 8), (29, 8)))
    light, dark = (right, left) if inverted else (left, right)
    assert isinstance(light, tuple) and min(light) > 240
    assert isinstance(dark, tuple) and max(dark) < 15


def test_a_profile_that_is_none_is_passed_over() -> None:
    file = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 0, 0)).save(file, "TIFF", icc_profile=b"nonsense")
    assert open_image(file.getvalue()).getpixel((0, 0)) == (255, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_picture_all_of_which_is_transparent_shows_its_colours(kind: str) -> None:
    """As some programs write it; where any part is visible, the others are transparent."""
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[..., :3] = np.random.default_rng(0).integers(0, 256, (8, 12, 3))
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    for visible in (0, 1):
        pixels[3, 4:, 3] = 255 * visible
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, kind, **options)
        found = np.asarray(open_image(file.getvalue()))
        expected = np.where(
            pixels[..., 3:] > 0, pixels[..., :3], 255 if visible else pixels[..., :3]
        )
        assert np.array_equal(found, expected)


def test_the_transparent_colour_of_other_depths_than_8_bits() -> None:
    def seen(data: bytes) -> list[tuple[int, ...]]:
        picture = open_image(data)
        return [picture.getpixel((x, 0)) for x in range(picture.width)]  # type: ignore[misc]

    white = (255, 255, 255)
    four = png(4, 1, 4, 0, b"\0\x07\xf8", chunk(b"tRNS", struct.pack(">H", 7)))
    assert seen(four) == [(0, 0, 0), white, white, (136, 136, 136)]
    two = png(4, 1, 2, 0, b"\0\x1b", chunk(b"tRNS", struct.pack(">H", 1)))
    assert seen(two) == [(0, 0, 0), white, (170, 170, 170), white]
    rows = b"\0" + struct.pack(">3H", 0x1234, 0x5678, 0)
    sixteen = png(3, 1, 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 0x1234)))
    assert seen(sixteen) == [white, (86, 86, 86), (0, 0, 0)]
    rows = b"\0" + struct.pack(">6H", 0x1234, 0, 0, 0x5678, 0, 0)
    colour = png(2, 1, 16, 2, rows, chunk(b"tRNS", struct.pack(">3H", 0x1234, 0, 0)))
    assert seen(colour) == [white, (86, 0, 0)]


def test_a_good_tiff_of_an_unknown_compression_is_not_called_damaged() -> None:
    data = tiff([np.zeros((4, 5, 3), np.uint8)], 2, more={259: (34712,)})  # JPEG 2000
    with pytest.raises(ImageError, match=r"kind that cannot be read \(compression 34712\)"):
        open_image(data)
