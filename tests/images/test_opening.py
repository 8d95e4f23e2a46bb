"""Pictures of every kind, made here with numpy and PIL, must come out with the pixels they show."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import AvifImagePlugin, Image, ImageFile, ImageOps, features

from captioner.errors import CaptionerError, ImageError
from captioner.images import IMAGE_SUFFIXES, MAX_PIXELS, Allowed, open_image, opening, picture_size
from captioner.images import kinds as kinds_of_files
from tests.images import made

Pixels = npt.NDArray[np.uint8]
ORIENTATION = 0x0112
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")


def scene(height: int = 24, width: int = 40) -> Pixels:
    """Four flat colours in unequal parts: no turn and no flip of it looks like another."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:] = (200, 40, 60)
    pixels[: height // 3] = (20, 90, 220)
    pixels[:, : width // 4] = (250, 220, 30)
    pixels[: height // 3, : width // 4] = (10, 160, 70)
    return pixels


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels_of(source: Any, **options: Any) -> Pixels:
    image = open_image(source, **options)
    assert type(image) is Image.Image and image.mode == "RGB"
    return np.asarray(image)


def assert_near(actual: Pixels, expected: npt.ArrayLike, within: float) -> None:
    assert actual.shape == np.shape(expected)
    assert np.abs(actual.astype(float) - np.asarray(expected, float)).max() <= within


def over_white(colour: npt.ArrayLike, alpha: npt.ArrayLike) -> npt.NDArray[np.float64]:
    share = np.asarray(alpha, float)[..., None] / 255
    return np.asarray(colour, float) * share + 255 * (1 - share)


# --- kinds of files -----------------------------------------------------------------------------


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


# --- transparency -------------------------------------------------------------------------------


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


# --- the right way up ---------------------------------------------------------------------------

TURNS = {  # EXIF 2.3, table 6: which side of the scene the first row and the first column show
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a),
}


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(Image.fromarray(scene()), kind, exif=turned(orientation), **options)
    expected = TURNS[orientation](scene())
    assert np.array_equal(pixels_of(data), expected)
    assert np.array_equal(pixels_of(Image.open(io.BytesIO(data))), expected)


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


# --- frames and sizes ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_many_frames_the_first(kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 3
    assert np.array_equal(pixels_of(data), np.full((10, 20, 3), (255, 0, 0)))


@pytest.mark.parametrize("size", [(1, 1), (20_000, 10), (10, 20_000), (1, 5_000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_extreme_shapes(size: tuple[int, int], kind: str) -> None:
    image = open_image(saved(Image.new("RGB", size, (120, 120, 120)), kind), target=200)
    assert image.size == size
    assert_near(np.asarray(image)[:1, :1], [[[120, 120, 120]]], 3)


# --- what a picture may come as -----------------------------------------------------------------


def test_paths_bytes_pictures_and_arrays_agree(tmp_path: Path) -> None:
    path = tmp_path / "ein Foto ü\U0001f600.png"
    data = saved(Image.fromarray(scene()))
    path.write_bytes(data)
    sources = (str(path), path, data, bytearray(data), memoryview(data), Image.open(path), scene())
    for source in (*sources, Image.fromarray(scene())):
        assert np.array_equal(pixels_of(source), scene())
    (tmp_path / "photo").write_bytes(data)  # the content counts, not the name
    (tmp_path / "photo.gif").write_bytes(data)
    assert np.array_equal(pixels_of(tmp_path / "photo"), scene())
    assert np.array_equal(pixels_of(tmp_path / "photo.gif"), scene())


def test_what_is_given_is_left_as_it_was() -> None:
    array = scene().astype(np.float32) / 255
    kept = array.copy()
    assert open_image(array) is not array and np.array_equal(array, kept)
    image = Image.open(io.BytesIO(saved(Image.fromarray(scene()), "JPEG", exif=turned(6))))
    opened = open_image(image, target=3)
    assert image.size == (40, 24) and image.getexif()[ORIENTATION] == 6
    assert opened.size == (24, 40)
    plain = Image.fromarray(scene())
    open_image(plain).paste("white", (0, 0, 40, 24))
    assert np.array_equal(np.asarray(plain), scene())


@pytest.mark.parametrize(
    "number", ["uint8", "uint16", "float16", "float32", "float64", "int64", "bool"]
)
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_arrays_of_every_kind(number: str, channels: int | None) -> None:
    shape = (6, 9) if channels is None else (6, 9, channels)
    share = np.random.default_rng(0).random(shape)
    white = {"u": 255, "i": 255, "f": 1, "b": 1}[np.dtype(number).kind]
    white = 65_535 if number == "uint16" else white
    array = (share > 0.5) if number == "bool" else (share * white).astype(number)
    level = array.astype(float) / white * 255
    level = level[..., None] if channels is None else level
    colour = np.repeat(level[..., :1], 3, 2) if level.shape[2] < 3 else level[..., :3]
    expected = over_white(colour, level[..., -1]) if channels in (2, 4) else colour
    assert_near(pixels_of(array), expected, 1.5)
    assert_near(pixels_of(array[::-1, ::2]), expected[::-1, ::2], 1.5)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((3, 20, 30), np.uint8), "H, W"),
        (np.zeros((2, 8, 8, 3), np.uint8), "H, W"),
        (np.zeros(7, np.uint8), "H, W"),
        (np.zeros((0, 5, 3), np.uint8), "H, W"),
        (np.full((4, 4), 200.0), "between 0 and 1"),
        (np.full((4, 4), -0.5), "between 0 and 1"),
        (np.full((4, 4), np.nan), "between 0 and 1"),
        (np.full((4, 4), 256), "between 0 and 255"),
        (np.full((4, 4), 1j), "complex"),
        (np.full((4, 4), "x"), "uint8"),
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_arrays_that_are_no_picture(array: npt.NDArray[Any], says: str) -> None:
    with pytest.raises(ImageError, match=says) as caught:
        open_image(array)
    assert caught.value.path == "array"
    with pytest.raises(ImageError, match=r"^frame 7: "):
        open_image(array, "frame 7")


def test_a_slight_overshoot_of_resampling_is_no_mistake() -> None:
    assert (pixels_of(np.full((2, 2), 1.0004)) == 255).all()
    assert (pixels_of(np.full((2, 2), -0.0004)) == 0).all()


# --- what cannot be read ------------------------------------------------------------------------

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)
HEIC_BY_ANOTHER_BRAND = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic" + bytes(200)
BROKEN = {
    "empty.jpg": (b"", "is empty"),
    "text.jpg": (b"This is no picture.\nReally not.\n", "holds text"),
    "page.png": (b"<!doctype html><html><body>404 Not Found</body></html>", "holds text"),
    "drawing.png": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "plain.svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "print.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
    "phone.heic": (HEIC, "cut off"),
    "other.heic": (HEIC_BY_ANOTHER_BRAND, "cut off"),
    "film.jpg": (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(99), "film"),
    "noise.png": (bytes(range(256)) * 9, "not a kind of picture"),
    "head.jpg": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "cut off"),
    "head.png": (b"\x89PNG\r\n\x1a\n\x00\x00", "cut off"),
    "head.gif": (b"GIF89a\x01", "cut off"),
    "head.webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "cut off"),
    "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "holds text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_picture_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    data, says = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    for source in (path, str(path)):
        with pytest.raises(ImageError) as caught:
            open_image(source)
        assert caught.value.path == str(path)
        assert says in caught.value.reason
        assert str(caught.value) == f"{path}: {caught.value.reason}"
        assert "\n" not in str(caught.value) and isinstance(caught.value, CaptionerError)
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
    with pytest.raises(ImageError, match=r"^upload: ") as caught:
        open_image(data, "upload")
    assert says in caught.value.reason


def test_an_avif_is_refused_by_name_where_pillow_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1" + bytes(200)
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    monkeypatch.setattr(features, "check", lambda feature: False)
    with pytest.raises(ImageError, match="AVIF"):
        open_image(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
def test_truncated_files(tmp_path: Path, kind: str, kept: float) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ImageError, match="cut off or damaged") as caught:
        open_image(path)
    assert caught.value.path == str(path)
    with pytest.raises(ImageError) as caught:
        open_image(path, "upload", target=20)
    assert caught.value.path == "upload"


def test_a_picture_opened_elsewhere_and_truncated(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = tmp_path / "cut.png"
    path.write_bytes(saved(Image.fromarray(noise))[:5000])
    with Image.open(path) as image, pytest.raises(ImageError, match="cut off") as caught:
        open_image(image)
    assert caught.value.path == str(path)


def test_places_without_a_file(tmp_path: Path) -> None:
    def reason(source: Any) -> str:
        with pytest.raises(ImageError) as caught:
            open_image(source)
        assert caught.value.path == str(source)
        return caught.value.reason

    assert "no such file" in reason(tmp_path / "missing.jpg")
    assert "folder" in reason(tmp_path)
    assert "web address" in reason("https://example.org/photo.jpg")
    assert reason("a\0b.jpg") and reason("n" * 5000 + ".jpg") and reason("")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "no file" in reason(tmp_path / "pipe.jpg")
    if Path("/dev/null").exists():
        assert "no file" in reason("/dev/null")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(saved(Image.fromarray(scene())))

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening, "open", refuse, raising=False)
    with pytest.raises(ImageError, match="permissions"):
        open_image(path)


@pytest.mark.parametrize("source", [None, 7, ["photo.jpg"], io.BytesIO()])
def test_things_that_are_no_source(source: Any) -> None:
    with pytest.raises(ImageError, match="a picture is a path, bytes, a PIL image or an array"):
        open_image(source)


# --- bombs --------------------------------------------------------------------------------------


def png(
    width: int, height: int, rows: npt.NDArray[Any] | None, bits: int = 8, kind: int = 0
) -> bytes:
    """Write a PNG by hand (`kind` 0: grey, 2: RGB); without rows it holds less than it claims."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    lines = b"" if rows is None else b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def bombs() -> dict[str, bytes]:
    jpeg = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65_000, 65_000)
    gif = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    gif[6:10] = struct.pack("<HH", 60_000, 60_000)
    bmp = bytearray(saved(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    return {
        "beyond PIL's warning": png(10_000, 10_000, None),
        "beyond PIL's error": png(100_000, 100_000, None),
        "one pixel too many": png(MAX_PIXELS + 1, 1, None),
        "jpeg": bytes(jpeg),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
    }


@pytest.mark.parametrize("kind", bombs())
@pytest.mark.parametrize("warns", ["default", "error", "ignore"])
def test_a_bomb_is_refused_before_it_is_decoded(
    kind: str, warns: Any, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    import warnings

    def decode(*args: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    warnings.simplefilter(warns)
    for target in (None, *([100] if kind != "jpeg" else [])):  # of a JPEG an eighth is decoded
        with pytest.raises(ImageError, match=f"more than the {MAX_PIXELS:,} pixels") as caught:
            open_image(bombs()[kind], "bomb", target=target)
        assert caught.value.path == "bomb"


def test_the_largest_picture_allowed() -> None:
    few = Allowed(pixels=200)
    assert open_image(saved(Image.new("RGB", (20, 10))), allowed=few).size == (20, 10)
    for source in (saved(Image.new("RGB", (67, 3))), Image.new("RGB", (67, 3))):
        with pytest.raises(ImageError, match="more than the 200 pixels allowed"):
            open_image(source, allowed=few)


def test_threads_neither_disturb_each_other_nor_pils_settings() -> None:
    bomb, good = bombs()["beyond PIL's warning"], saved(Image.fromarray(scene()), "PNG")
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES

    def once(index: int) -> bool:
        if index % 2:
            return np.array_equal(pixels_of(good), scene())
        with pytest.raises(ImageError, match="pixels allowed"):
            open_image(bomb)
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(once, range(200)))
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_nothing_but_the_error_is_said(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bombs()["beyond PIL's warning"])
    exif = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x05\x01\x12"
    (tmp_path / "notes.jpg").write_bytes(saved(Image.new("RGB", (9, 9)), "JPEG", exif=exif))
    grain = np.random.default_rng(0).integers(0, 256, (60, 60), np.uint8)
    tiff = bytearray(saved(Image.fromarray(grain), "TIFF", compression="tiff_lzw"))
    tiff[200:400] = b"\xff" * 200
    (tmp_path / "libtiff.tif").write_bytes(tiff)
    program = (
        "import sys\n"
        "from captioner.errors import ImageError\n"
        "from captioner.images import open_image\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(open_image(path).size)\n"
        "    except ImageError as error: print(error.reason)\n"
    )
    paths = [str(tmp_path / name) for name in ("bomb.png", "notes.jpg", "libtiff.tif")]
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "pixels allowed" in done.stdout and "(9, 9)" in done.stdout
    assert "cut off or damaged" in done.stdout


def test_too_little_memory_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*args: object) -> None:
        raise MemoryError

    for source in (saved(Image.new("RGB", (9, 9))), Image.open(io.BytesIO(SAMPLES["GIF"]))):
        with monkeypatch.context() as patch, pytest.raises(ImageError, match="than there is"):
            patch.setattr(ImageFile.ImageFile, "load", none_left)
            open_image(source)


# --- anything at all ----------------------------------------------------------------------------

KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")
SAMPLES = {kind: saved(Image.fromarray(scene()), kind, exif=turned(6)) for kind in KINDS}


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    kept=st.floats(0, 1),
)
def test_damage_of_any_kind_gives_a_picture_or_an_image_error(
    kind: str, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(SAMPLES[kind])
    for place, value in changes:
        data[int(place * len(data))] = value
    start = bytes(data[: int(kept * len(data)) + 1])
    try:
        image = open_image(start, "damaged", target=8, allowed=Allowed(pixels=1_000_000))
    except ImageError as error:
        assert error.path == "damaged" and error.reason
    else:
        assert image.mode == "RGB" and min(image.size) >= 1


def test_suffixes_are_those_of_the_kinds_that_are_tried() -> None:
    extensions = Image.registered_extensions()
    kinds = {*kinds_of_files.FORMATS, "MPO"}
    assert {extensions[suffix] for suffix in IMAGE_SUFFIXES if suffix in extensions} <= kinds
    unknown = {suffix for suffix in IMAGE_SUFFIXES if suffix not in extensions}
    assert unknown <= {".heic", ".heif", ".hif", ".jxl", ".jif"}  # plugins', and old names of JPEG
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in IMAGE_SUFFIXES)
