"""Pictures of attention against formulas and pillow's own resampling."""

import numpy as np
import pytest
from PIL import Image

from captioner.caption import Caption
from captioner.overlay import INFERNO, colour, frames, heat, overlay, panels


def a_map(rows: int = 8, columns: int = 8, seed: int = 0) -> np.ndarray:
    attention = np.random.default_rng(seed).random((rows, columns)) ** 4
    return attention / attention.sum()


def a_caption(words: tuple[str, ...]) -> Caption:
    maps = np.stack([a_map(seed=seed) for seed in range(len(words))]).astype(np.float32)
    probabilities = (0.5,) * len(words)
    return Caption(" ".join(words).capitalize() + ".", words, 0.5, -4.0, probabilities, maps)


def lightness(rgb: np.ndarray) -> np.ndarray:
    """CIE 1976 L* of sRGB bytes (IEC 61966-2-1 for the curve, Y for the luminance)."""
    value = rgb / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    y = linear @ np.array([0.2126, 0.7152, 0.0722])
    return 116 * np.where(y > (6 / 29) ** 3, np.cbrt(y), y / (3 * (6 / 29) ** 2) + 4 / 29) - 16


def test_colours_are_perceptually_uniform():
    steps = np.diff(lightness(colour(np.linspace(0, 1, 17)).astype(float)))
    assert (steps > 0).all()
    assert steps.max() < 1.6 * np.median(steps)
    assert colour(np.array([0.0, 1.0])).tolist() == [
        list(INFERNO[:3]),
        list(INFERNO[-3:]),
    ]


@pytest.mark.parametrize("size", [(64, 64), (301, 57), (5, 900), (3, 2)])
def test_heat_lies_over_the_whole_photo_between_0_and_1(size):
    picture = heat(a_map(), size)
    assert picture.shape == (size[1], size[0])
    assert picture.min() == 0 and picture.max() == pytest.approx(1)


def test_heat_follows_the_cells_of_its_map():
    """A cubic B-spline averaged over each cell again is a quartic one, known at the cells."""
    attention = a_map(8, 9)
    picture = Image.fromarray(heat(attention, (900, 800)))
    back = np.asarray(picture.resize((9, 8), Image.Resampling.BOX))
    kernel = np.array([1, 76, 230, 76, 1]) / 384
    expected = [
        [kernel @ attention[y - 2 : y + 3, x - 2 : x + 3] @ kernel for x in range(2, 7)]
        for y in range(2, 6)
    ]
    assert np.corrcoef(back[2:6, 2:7].ravel(), np.ravel(expected))[0, 1] > 0.9999


def test_heat_is_smooth():
    picture = heat(np.eye(8) / 8, (800, 800))
    assert np.abs(np.diff(picture, axis=0)).max() < 0.02


def test_one_bright_cell_is_brightest_where_it_lies():
    attention = np.zeros((4, 8))
    attention[3, 1] = 1
    y, x = np.unravel_index(heat(attention, (800, 400)).argmax(), (400, 800))
    assert 300 <= y < 400 and 100 <= x < 200


def test_even_attention_stays_faint():
    assert heat(np.full((8, 8), 1 / 64), (80, 80)).max() < 1e-6
    nearly = np.full((8, 8), 1 / 64)
    nearly[2, 2] *= 1.2
    assert heat(nearly, (80, 80)).max() < 0.2


def test_strength_runs_from_the_photo_to_the_whole_overlay():
    photo = Image.effect_noise((90, 60), 80).convert("RGB")
    attention = a_map()
    assert overlay(photo, attention, 0).tobytes() == photo.tobytes()
    whole = np.asarray(overlay(photo, attention, 1)).astype(float)
    half = np.asarray(overlay(photo, attention, 0.5)).astype(float)
    assert np.abs(half - (np.asarray(photo) + whole) / 2).max() <= 1


@pytest.mark.parametrize("paint", [(250, 250, 250), (20, 20, 30), (30, 140, 220), (200, 60, 20)])
def test_what_was_not_looked_at_keeps_its_colour_and_what_was_is_coloured(paint):
    """Outside it is the photo a little darker, of the same hue; inside it is inferno's yellow."""
    attention = np.zeros((8, 8))
    attention[1, 1] = 1
    photo = Image.new("RGB", (160, 160), paint)
    seen = np.asarray(overlay(photo, attention)).astype(float)
    far, near = seen[150, 150], seen[30, 30]
    darker = far.sum() / sum(paint)
    assert 0.65 < darker < 0.95
    assert np.abs(far - np.array(paint) * darker).max() <= 1
    brightest = colour(np.array(1.0)).astype(float)
    assert np.abs(near - brightest).max() < 0.45 * np.abs(np.array(paint) - brightest).max() + 1


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (2000, 100), (60, 900)])
def test_the_sheet_shows_the_photo_once_undistorted_and_every_word(size):
    words = ("a", "dog", "runs", "over", "the", "grass")
    photo = Image.new("RGB", size, (0, 120, 255))
    sheet = np.asarray(panels(photo, a_caption(words), strength=0))
    blue = (sheet == (0, 120, 255)).all(axis=-1)
    scale = 240 / max(size)
    width, height = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    assert blue.sum() == (len(words) + 1) * width * height


@pytest.mark.parametrize("size", [(1, 1), (20_000, 10), (10, 20_000)])
def test_no_photo_is_too_small_too_wide_or_too_tall(size):
    caption = a_caption(("a", "very", "long", "sentence") * 5)
    photo = Image.new("RGB", size, "red")
    assert max(panels(photo, caption).size) < 4000
    assert len({frame.size for frame in frames(photo, caption)}) == 1


def test_a_frame_for_the_photo_and_one_for_each_word():
    photo = Image.effect_noise((300, 200), 60).convert("RGB")
    pictures = list(frames(photo, a_caption(("a", "dog", "sleeps"))))
    assert len(pictures) == 4
    assert len({picture.tobytes() for picture in pictures}) == 4
