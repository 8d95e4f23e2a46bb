"""Colours of every kind, made here with numpy and PIL, come out as they show."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, features

from captioner.images import open_image
from tests.images import made
from tests.images.scene import (
    Pixels,
    assert_near,
    over_white,
    pixels_of,
    png,
    saved,
    scene,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("PPM", {}),
        ("JPEG2000", {}),
        ("WEBP", {"lossless": True}),
    ],
    ids=str,
)
def test_lossless_files_come_back_exactly(kind: str, options: dict[str, Any]) -> None:
    assert np.array_equal(pixels_of(saved(Image.fromarray(scene()), kind, **options)), scene())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "MPO"])
def test_lossy_files_come_back_nearly(kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    pixels = np.full((32, 48, 3), (200, 40, 60), np.uint8)
    options = {"append_images": [Image.new("RGB", (48, 32))]} if kind == "MPO" else {}
    more = {"save_all": True} if kind == "MPO" else {"quality": 95}
    assert_near(pixels_of(saved(Image.fromarray(pixels), kind, **more, **options)), pixels, 6)


def test_cmyk_shows_the_light_that_the_inks_leave() -> None:
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:8] = (255, 0, 0, 0)
    inks[8:, :8] = (0, 128, 255, 0)
    inks[8:, 8:] = (0, 0, 0, 200)
    share = inks.astype(float) / 255
    expected = 255 * (1 - share[..., :3]) * (1 - share[..., 3:])
    image = Image.fromarray(inks, mode="CMYK")
    assert_near(pixels_of(saved(image, "TIFF")), expected, 1)
    assert_near(pixels_of(saved(image, "JPEG", quality=100, subsampling=0)), expected, 4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str, order: str) -> None:
    ramp = np.linspace(0, 65_535, 600).astype(np.uint16).reshape(20, 30)
    if order == ">u2":
        image = Image.frombytes("I;16B", (30, 20), ramp.astype(">u2").tobytes())
        data = saved(image, "TIFF") if kind == "TIFF" else saved(Image.fromarray(ramp), kind)
    else:
        data = saved(Image.fromarray(ramp), kind)
    expected = np.repeat((ramp / 257)[..., None], 3, 2)
    assert_near(pixels_of(data), expected, 0.5 + 1e-9)
    assert_near(pixels_of(Image.open(io.BytesIO(data))), expected, 0.5 + 1e-9)


def test_colour_of_sixteen_bits_keeps_its_brightness() -> None:
    colours = np.array([[[0, 30_000, 65_535], [65_535, 257 * 100, 500]]], ">u2")
    data = png(2, 1, colours, bits=16, kind=2)
    assert_near(pixels_of(data), colours / 257, 1.0)


def test_dark_sixteen_bits_stay_dark() -> None:
    dark = np.full((4, 4), 2_570, np.uint16)
    assert (pixels_of(saved(Image.fromarray(dark))) == 10).all()


@pytest.mark.parametrize(
    ("white", "mode"), [(1, "F"), (255, "F"), (65_535, "F"), (255, "I"), (65_535, "I")]
)
def test_wide_numbers_are_read_on_the_scale_that_holds_them(white: int, mode: str) -> None:
    share = np.array([[0.0, 0.2], [0.6, 1.0]])
    values = (share * white).astype(np.float32 if mode == "F" else np.int32)
    image = Image.fromarray(values)
    assert image.mode == mode
    expected = np.repeat((share * 255)[..., None], 3, 2)
    assert_near(pixels_of(saved(image, "TIFF")), expected, 1)


def test_numbers_that_are_none_are_black() -> None:
    values = np.array([[0.0, np.nan, np.inf, -np.inf, 0.5, 1.0]], np.float32)
    assert pixels_of(Image.fromarray(values))[0, :, 0].tolist() == [0, 0, 0, 0, 128, 255]


def test_one_bit_and_grey() -> None:
    checks = np.indices((5, 9)).sum(0) % 2 == 0
    assert np.array_equal(pixels_of(saved(Image.fromarray(checks)))[..., 0], checks * 255)
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(pixels_of(saved(Image.fromarray(grey))), np.repeat(grey[..., None], 3, 2))


def test_alpha_lies_over_white() -> None:
    colour = scene(16, 16)
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = over_white(colour, alpha)
    with_alpha = Image.fromarray(np.dstack((colour, alpha)))
    for data in (saved(with_alpha), saved(with_alpha, "WEBP", lossless=True, exact=True)):
        assert_near(pixels_of(data), expected, 1)
    assert_near(pixels_of(with_alpha.convert("RGBa")), expected, 2)


def test_grey_with_alpha_lies_over_white() -> None:
    grey, alpha = np.indices((16, 16)).astype(np.uint8) * 17
    image = Image.fromarray(np.dstack((grey, alpha)))
    assert image.mode == "LA"
    expected = over_white(np.repeat(grey[..., None], 3, 2), alpha)
    assert_near(pixels_of(saved(image)), expected, 1)
    assert_near(pixels_of(image.convert("La")), expected, 2)


def palette_image() -> tuple[Image.Image, Pixels]:
    index = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    colours = np.array([[250, 10, 20], [30, 240, 40], [50, 60, 230]], np.uint8)
    image = Image.fromarray(index, mode="P")
    image.putpalette(colours.flatten().tolist())
    return image, colours[index]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette(kind: str) -> None:
    image, expected = palette_image()
    assert np.array_equal(pixels_of(saved(image, kind)), expected)


def test_palette_with_transparent_colours() -> None:
    image, colours = palette_image()
    index = np.asarray(image)
    graded = np.array([255, 128, 0])[index]
    assert_near(
        pixels_of(saved(image, transparency=bytes([255, 128, 0]))), over_white(colours, graded), 1
    )
    one = np.where(index == 1, 0, 255)
    for kind in ("PNG", "GIF"):
        assert_near(pixels_of(saved(image, kind, transparency=1)), over_white(colours, one), 0)


def test_one_colour_declared_transparent() -> None:
    pixels = scene()
    hole = (pixels == (20, 90, 220)).all(-1)
    assert 0 < hole.mean() < 1
    data = saved(Image.fromarray(pixels), transparency=(20, 90, 220))
    assert np.array_equal(pixels_of(data), np.where(hole[..., None], 255, pixels))


def by_formula(colour: tuple[int, ...], primaries: npt.NDArray[np.float64], gamma: float) -> Any:
    """The colour in sRGB (IEC 61966-2-1), of one between other primaries."""
    light = np.linalg.inv(made.SRGB) @ primaries @ (np.array(colour) / 255) ** gamma
    light = light.clip(0, 1)
    return 255 * np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("colour", [(200, 100, 50), (60, 180, 90), (40, 60, 200), (255, 255, 255)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_wide_colours_are_shown_as_their_profile_says(kind: str, colour: tuple[int, ...]) -> None:
    profile = made.rgb_profile(made.ADOBE_RGB, 2.2)
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
    photo = Image.new("RGB", (64, 48), colour)
    data = saved(photo, kind, icc_profile=profile, **options.get(kind, {}))
    expected = by_formula(colour, made.ADOBE_RGB, 2.2)
    assert np.abs(expected - colour).max() > 15 or colour == (255, 255, 255)
    for source in (data, Image.open(io.BytesIO(data))):
        assert_near(pixels_of(source), np.broadcast_to(expected, (48, 64, 3)), 3)
    assert np.array_equal(pixels_of(open_image(data)), pixels_of(data))


def test_transparent_and_few_colours_go_by_their_profile_too() -> None:
    profile = made.rgb_profile(made.ADOBE_RGB, 2.2)
    expected = by_formula((200, 100, 50), made.ADOBE_RGB, 2.2)
    half = Image.new("RGBA", (8, 8), (200, 100, 50, 128))
    assert_near(pixels_of(saved(half, icc_profile=profile))[0, 0], over_white(expected, 128), 3)
    few = Image.new("RGB", (8, 8), (200, 100, 50)).quantize(4)
    assert_near(pixels_of(saved(few, icc_profile=profile))[0, 0], expected, 3)


@pytest.mark.parametrize(
    "profile", [made.rgb_profile(made.SRGB, 2.2), b"no profile", made.cmyk_profile(False)]
)
def test_profiles_like_srgb_damaged_or_of_other_colours_change_nothing(profile: bytes) -> None:
    assert np.array_equal(pixels_of(saved(Image.fromarray(scene()), icc_profile=profile)), scene())
