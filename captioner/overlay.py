"""Pictures of attention: where the model looked, drawn over the photo. numpy and pillow only.

Three pictures: one word's attention over the photo (`overlay`), a sheet with a panel for every
word (`panels`) and a walk through the sentence, frame by frame (`frames`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from captioner.caption import Caption
from captioner.errors import CaptionerError

Array = npt.NDArray[np.floating]

# Every eighth colour of "inferno": Nathaniel J. Smith and Stéfan van der Walt, CC0,
# https://bids.github.io/colormap/. Straight lines between them stay within 1.5/255 of it.
INFERNO = bytes.fromhex("""
000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e 7d1e6d 89226a
962766 a32b61 af315c bb3755 c63e4d d14644 db4f3b e35932 eb6528 f1711e f67f14 f98d0a fb9c06
fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586 fcffa4
""")
STRENGTH = 0.7
_SHADE = 0.4  # how dark it gets where the model did not look, at full strength
_GLOW = 0.9  # how dense the colour is where it looked most

_PAPER, _INK, _FAINT = (255, 255, 255), (24, 24, 27), (161, 161, 170)
PANEL = 240
"""The longest side of a panel's photo, in pixels."""
_GAP = 14


def heat(attention: Array, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """One word's attention (rows, columns) as a smooth picture (height, width) from 0 to 1.

    `size` is (width, height) in pixels. A cubic B-spline runs through the cells: no steps, no
    overshoot. 0 is where the model looked least; 1 is where it looked most, or, for a map so even
    that its highest point is not one even share (1/L of the whole, L cells) above its lowest, that
    height: attention that is nearly everywhere stays faint and does not turn into a hot spot.
    """
    rows, columns = attention.shape
    smooth = _spline(rows, size[1]) @ attention @ _spline(columns, size[0]).T
    smooth = smooth - smooth.min()
    even = float(attention.sum()) / attention.size
    return np.asarray(smooth / max(float(smooth.max()), even, 1e-12), np.float32)


def _spline(cells: int, pixels: int) -> npt.NDArray[np.float64]:
    """How much each pixel takes from each cell along one side: (pixels, cells), rows sum to 1."""
    centres = (np.arange(pixels) + 0.5) * cells / pixels - 0.5
    distance = np.abs(centres[:, None] - np.arange(cells))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    weights = np.where(distance < 1, near, far)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def colour(values: Array) -> npt.NDArray[np.uint8]:
    """Numbers from 0 to 1 in the perceptually uniform colours of inferno: (..., 3) bytes."""
    table = np.frombuffer(INFERNO, dtype=np.uint8).reshape(-1, 3).astype(np.float64)
    steps = np.linspace(0, 1, len(table))
    channels = [np.interp(values, steps, table[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def overlay(photo: Image.Image, attention: Array, strength: float = STRENGTH) -> Image.Image:
    """The photo, in its own size, under one word's attention (rows, columns): coloured where the
    model looked, a little darker where it did not, with no veil of colour there.

    `strength` 0 leaves the photo as it is, 1 colours and darkens it most. Raises CaptionerError
    where there is no attention to show.
    """
    if not attention.size:
        raise CaptionerError("this model has a decoder without attention: there is none to show")
    values = heat(attention, photo.size)[..., None]
    glow = _GLOW * values**1.5
    alpha = 1 - (1 - _SHADE * (1 - values)) * (1 - glow)  # of shade and glow together
    below = np.asarray(photo.convert("RGB"), np.float32)
    mixed = below * (1 - strength * alpha) + strength * glow * colour(values[..., 0])
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def panels(photo: Image.Image, caption: Caption, strength: float = STRENGTH) -> Image.Image:
    """A sheet: the sentence, the photo, and one panel of attention a word, labelled with it."""
    photo = _fit(photo, PANEL)
    pictures = [photo, *(overlay(photo, attention, strength) for attention in caption.attention)]
    labels = ["photo", *caption.words]
    font, headline = ImageFont.load_default(16), ImageFont.load_default(22)
    cell_width = int(max(photo.width, *(font.getlength(label) for label in labels))) + _GAP
    cell_height = photo.height + 24 + _GAP
    columns = _columns(len(pictures), cell_width, cell_height)
    width = max(columns * cell_width + _GAP, 480)
    head = _wrap(caption.text, headline, width - 2 * _GAP)
    top = _GAP + 30 * len(head)
    rows = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (width, top + rows * cell_height + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for line, text in enumerate(head):
        draw.text((_GAP, _GAP + 30 * line), text, _INK, headline)
    for place, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        x = _GAP + place % columns * cell_width
        y = top + place // columns * cell_height
        sheet.paste(picture, (x, y + 24))
        draw.text((x, y), label, _INK if place else _FAINT, font)
    return sheet


def frames(
    photo: Image.Image, caption: Caption, strength: float = STRENGTH, side: int = 480
) -> Iterator[Image.Image]:
    """A walk through the sentence: the photo alone, then one frame a word, its word set off."""
    photo = _fit(photo, side)
    font = ImageFont.load_default(20)
    width = max(photo.width, 320)
    lines = _lines(caption.words, font, width - 2 * _GAP)
    left = (width - photo.width) // 2
    for word in range(-1, len(caption.words)):
        picture = photo if word < 0 else overlay(photo, caption.attention[word], strength)
        frame = Image.new("RGB", (width, photo.height + 28 * len(lines) + 2 * _GAP), _PAPER)
        frame.paste(picture, (left, 0))
        draw = ImageDraw.Draw(frame)
        for row, line in enumerate(lines):
            x, y = float(_GAP), photo.height + _GAP + 28 * row
            for index, text in line:
                draw.text((x, y), text, _INK if index == word or word < 0 else _FAINT, font)
                x += font.getlength(text + " ")
        yield frame


def _fit(photo: Image.Image, side: int) -> Image.Image:
    """The photo in its own proportions with its longest side `side` pixels, in RGB."""
    scale = side / max(photo.size)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    return photo.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=2)


def _columns(count: int, width: int, height: int) -> int:
    """How many of `count` cells go into a row for a sheet about half as wide again as high."""
    return min(count, max(1, round(math.sqrt(1.5 * count * height / width))))


_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def _lines(words: Sequence[str], font: _Font, width: float) -> list[list[tuple[int, str]]]:
    """The words with their indices, broken into lines at most `width` pixels wide."""
    lines: list[list[tuple[int, str]]] = [[]]
    for index, word in enumerate(words):
        line = " ".join([*(text for _, text in lines[-1]), word])
        if lines[-1] and font.getlength(line) > width:
            lines.append([])
        lines[-1].append((index, word))
    return lines


def _wrap(text: str, font: _Font, width: float) -> list[str]:
    return [" ".join(word for _, word in line) for line in _lines(text.split(), font, width)]
