"""Pictures come out upright, and small ones of the size that was asked for."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps, features

from captioner.images import open_image, picture_size
from tests.images import made
from tests.images.scene import (
    TURNS,
    assert_near,
    pixels_of,
    saved,
    scene,
    turned,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")


def turned_file(kind: str, orientation: int, how: str) -> bytes:
    """The scene, told to lie so in EXIF or in XMP."""
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    if how == "exif":
        options["exif"] = turned(orientation)
    else:
        options["xmp"] = f'<x tiff:Orientation="{orientation}"/>'.encode()
    return saved(Image.fromarray(scene(96, 192)), kind, **options)


@pytest.mark.parametrize(
    ("kind", "how"),
    [*((kind, "exif") for kind in ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "AVIF")), ("WEBP", "xmp")],
)
@pytest.mark.parametrize("orientation", TURNS)
def test_what_was_opened_is_upright_for_good(kind: str, how: str, orientation: int) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    data = turned_file(kind, orientation, how)
    once = open_image(data)
    expected = TURNS[orientation](scene(96, 192))  # whose colours meet where blocks of 16 do
    assert_near(np.asarray(once)[8::16, 8::16], expected[8::16, 8::16], 12)
    assert dict(once.getexif()) == {} and once.info == {}
    assert np.array_equal(pixels_of(once), np.asarray(once))
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(once)), np.asarray(once))
    assert np.array_equal(pixels_of(saved(once)), np.asarray(once))  # written, and read again
    assert picture_size(data) == once.size
    assert open_image(Image.open(io.BytesIO(data))).size == once.size


@pytest.mark.parametrize("orientation", TURNS)
def test_notes_of_a_png_may_stand_behind_its_pixels(orientation: int) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in scene())
    notes = made.chunk(b"eXIf", turned(orientation).tobytes()[6:])
    data = made.png(40, 24, 8, 2, rows, after=notes)
    assert np.array_equal(pixels_of(data), TURNS[orientation](scene()))
    assert picture_size(data) == open_image(data).size


def test_the_size_is_told_without_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {kind: turned_file(kind, 6, "exif") for kind in ("JPEG", "PNG", "TIFF", "WEBP")}
    plain = saved(Image.fromarray(scene()))

    def decode(*args: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    assert {picture_size(data) for data in kinds.values()} == {(96, 192)}
    assert picture_size(plain) == (40, 24)


@pytest.mark.parametrize("orientation", TURNS)
def test_a_large_jpeg_is_decoded_small_and_upright(orientation: int) -> None:
    pixels = scene(600, 1000)
    data = saved(Image.fromarray(pixels), "JPEG", quality=95, exif=turned(orientation))
    whole, quarter = pixels_of(data), pixels_of(data, target=150)
    upright = TURNS[orientation](pixels)
    assert_near(whole[4::50, 4::50], upright[4::50, 4::50], 8)
    assert quarter.shape[0] == upright.shape[0] // 4 and quarter.shape[1] == upright.shape[1] // 4
    assert_near(quarter[1::12, 1::12], upright[4::48, 4::48], 8)


@pytest.mark.parametrize(
    ("target", "size"),
    [
        (1, (125, 75)),
        (75, (125, 75)),
        (76, (250, 150)),
        (300, (500, 300)),
        (301, (1000, 600)),
        (5000, (1000, 600)),
    ],
)
def test_the_shorter_side_never_falls_below_the_target(target: int, size: tuple[int, int]) -> None:
    data = saved(Image.fromarray(scene(600, 1000)), "JPEG")
    assert open_image(data, target=target).size == size
    assert open_image(saved(Image.fromarray(scene()), "PNG"), target=5).size == (40, 24)


def test_sixteen_bits_are_turned_upright() -> None:
    grey = scene()[..., 0].astype(np.uint16) * 257
    data = saved(Image.fromarray(grey), exif=turned(8))
    assert np.array_equal(pixels_of(data)[..., 0], TURNS[8](scene())[..., 0])


@pytest.mark.parametrize(
    "notes", [b"MM\x00*\xff\xff\xff\xff", b"nonsense", b"", b"II*\x00\x08\x00\x00\x00\x01"]
)
def test_damaged_notes_do_not_cost_the_photo(notes: bytes) -> None:
    data = saved(Image.fromarray(scene()), exif=b"Exif\x00\x00" + notes)
    assert np.array_equal(pixels_of(data), scene())
    unknown = saved(Image.fromarray(scene()), exif=turned(77))
    assert np.array_equal(pixels_of(unknown), scene())
