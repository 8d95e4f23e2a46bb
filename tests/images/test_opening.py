"""Pictures from every source, made here with numpy and PIL, come out with the pixels they show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from captioner.errors import ImageError
from captioner.images import open_image
from tests.images.scene import (
    ORIENTATION,
    TURNS,
    assert_near,
    over_white,
    pixels_of,
    saved,
    scene,
    turned,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", TURNS)
def test_pictures_are_turned_upright(kind: str, orientation: int) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(Image.fromarray(scene()), kind, exif=turned(orientation), **options)
    expected = TURNS[orientation](scene())
    assert np.array_equal(pixels_of(data), expected)
    assert np.array_equal(pixels_of(Image.open(io.BytesIO(data))), expected)


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
