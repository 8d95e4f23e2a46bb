"""Pictures that are no photos, made anew from a seed: pages of text, screenshots, drawings, charts,
textures, blank sheets and noise.

    python benchmarks/no_photos.py FOLDER --count 315 --seed 1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Rng = np.random.Generator
SYLLABLES = "ka lo mi ren tas u vel dor in eth pra so gan ble qui nor fa ste ra pon".split()  # noqa: SIM905
INK = [(0, 0, 0), (30, 30, 60), (60, 20, 20), (20, 60, 40), (200, 30, 40), (30, 90, 200)]


def _size(rng: Rng) -> tuple[int, int]:
    width = int(rng.integers(320, 700))
    return width, int(width * rng.uniform(0.6, 1.5))


def _paper(rng: Rng) -> Image.Image:
    light = rng.integers(225, 256)
    tint = tuple(int(light - rng.integers(0, 12)) for _ in range(3))
    return Image.new("RGB", _size(rng), tint)


def _word(rng: Rng) -> str:
    return "".join(rng.choice(SYLLABLES, rng.integers(1, 4)))


def _ink(rng: Rng) -> tuple[int, int, int]:
    return INK[int(rng.integers(len(INK)))]


def _write(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], rng: Rng, size: int
) -> None:
    """Lines of made-up words in a box."""
    font, ink = ImageFont.load_default(size), _ink(rng)
    left, top, right, bottom = box
    for y in np.arange(top, bottom - size, size * 1.4):
        line = ""
        while draw.textlength(line, font) < (right - left) * rng.uniform(0.6, 0.9):
            line += _word(rng) + " "
        draw.text((left, float(y)), line, ink, font)


def text_page(rng: Rng) -> Image.Image:
    page = _paper(rng)
    draw, (width, height) = ImageDraw.Draw(page), page.size
    margin = width * rng.uniform(0.03, 0.12)
    columns = int(rng.integers(1, 4))
    wide = (width - 2 * margin) / columns
    _write(draw, (margin, margin, width - margin, margin + 50), rng, int(rng.integers(20, 36)))
    for column in range(columns):
        left = margin + column * wide
        box = (left, margin + 60, left + wide - 12, height - margin)
        _write(draw, box, rng, int(rng.integers(8, 16)))
    return page.rotate(float(rng.normal(0, 1)), fillcolor=(230, 230, 230))


def screenshot(rng: Rng) -> Image.Image:
    dark = rng.random() < 0.4
    ground = (32, 33, 38) if dark else (244, 245, 248)
    shot = Image.new("RGB", (640, int(rng.integers(360, 900))), ground)
    draw, (width, height) = ImageDraw.Draw(shot), shot.size
    draw.rectangle((0, 0, width, 36), fill=tuple(rng.integers(40, 220, 3).tolist()))
    draw.rectangle((0, 36, 150, height), fill=(50, 52, 60) if dark else (228, 230, 236))
    for y in range(60, height - 40, int(rng.integers(34, 90))):
        edge = (width - int(rng.integers(20, 200)), y + int(rng.integers(18, 70)))
        fill = tuple(rng.integers(60, 250, 3).tolist()) if rng.random() < 0.3 else ground
        draw.rounded_rectangle((170, y, *edge), 6, fill, (120, 120, 130))
        text = (235, 235, 235) if dark else (20, 20, 20)
        draw.text((182, y + 4), f"{_word(rng)} {_word(rng)}", text, ImageFont.load_default(13))
        draw.text((14, y), _word(rng), text, ImageFont.load_default(12))
    return shot


def drawing(rng: Rng) -> Image.Image:
    page = _paper(rng)
    draw, (width, height) = ImageDraw.Draw(page), page.size
    for _ in range(int(rng.integers(4, 18))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        r, wide, ink = rng.uniform(10, width / 4), int(rng.integers(1, 5)), _ink(rng)
        kind = int(rng.integers(4))
        if kind == 0:
            draw.ellipse(
                (x - r, y - r, x + r, y + r * rng.uniform(0.2, 1)), outline=ink, width=wide
            )
        elif kind == 1:
            turns = np.linspace(0, 2 * math.pi, int(rng.integers(3, 7)), endpoint=False)
            corners = [(x + r * math.cos(t), y + r * math.sin(t)) for t in turns]
            draw.polygon(corners, outline=ink, width=wide)
        elif kind == 2:
            steps = rng.normal(0, r / 4, (30, 2)).cumsum(0) + np.array([x, y])
            draw.line([tuple(point) for point in steps.tolist()], ink, wide)
        else:  # somebody of five lines
            draw.ellipse((x - r / 4, y - r, x + r / 4, y - r / 2), outline=ink, width=wide)
            draw.line((x, y - r / 2, x, y), ink, wide)
            for side in (-1, 1):
                draw.line((x, y - r / 3, x + side * r / 3, y - r / 6), ink, wide)
                draw.line((x, y, x + side * r / 4, y + r / 2), ink, wide)
    return page


def chart(rng: Rng) -> Image.Image:
    page = Image.new("RGB", (600, int(rng.integers(360, 560))), (255, 255, 255))
    draw, (width, height) = ImageDraw.Draw(page), page.size
    draw.text((180, 10), f"{_word(rng)} {_word(rng)}", (0, 0, 0), ImageFont.load_default(18))
    values, kind = rng.uniform(0.1, 1, int(rng.integers(4, 14))), int(rng.integers(3))
    inks = [tuple(rng.integers(20, 220, 3).tolist()) for _ in values]
    if kind == 0:
        around = np.concatenate([[0], values.cumsum() / values.sum() * 360])
        for start, end, ink in zip(around, around[1:], inks, strict=False):
            draw.pieslice((150, 50, height, height - 100), float(start), float(end), ink)
        return page
    draw.line((60, 50, 60, height - 40, width - 20, height - 40), (0, 0, 0), 2)
    place = np.linspace(70, width - 70, len(values))
    top = height - 40 - values * (height - 110)
    for x, y, ink in zip(place, top, inks, strict=True):
        if kind == 1:
            draw.rectangle((x, y, x + 24, height - 40), fill=ink)
        draw.text((x, height - 36), _word(rng)[:4], (0, 0, 0), ImageFont.load_default(10))
    if kind == 2:
        draw.line(list(zip(place.tolist(), top.tolist(), strict=True)), inks[0], 3)
    return page


def texture(rng: Rng) -> Image.Image:
    side, total = 384, np.zeros((384, 384, 3))
    for scale in (4, 8, 16, 32, 64, 128):
        small = rng.uniform(0, 255, (scale, max(2, int(scale * rng.uniform(0.2, 1))), 3))
        layer = Image.fromarray(small.astype(np.uint8)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
        total += np.asarray(layer, float) * rng.uniform(0, 1)
    if rng.random() < 0.4:
        wave = np.sin(np.arange(side) / rng.uniform(2, 12))[:, None, None]
        total += 300 * (wave if rng.random() < 0.5 else wave.transpose(1, 0, 2))
    total = (total - total.min()) / np.ptp(total)
    colour, other = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    mixed = colour + (other - colour) * total.mean(2, keepdims=True) + 40 * (total - 0.5)
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8))


def blank(rng: Rng) -> Image.Image:
    first, last = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    if rng.random() < 0.5:
        first = last = rng.choice([rng.uniform(235, 255), rng.uniform(0, 30)]) * np.ones(3)
    ramp = np.linspace(0, 1, 256)[:, None, None]
    rows = first + (last - first) * ramp * np.ones((1, 256, 1)) + rng.normal(0, 1, (256, 256, 3))
    return Image.fromarray(rows.clip(0, 255).astype(np.uint8)).resize(_size(rng))


def noise(rng: Rng) -> Image.Image:
    spread, channels = rng.uniform(20, 120), int(rng.choice([1, 3]))
    grain = rng.normal(rng.uniform(60, 200), spread, (300, 400, channels)) * np.ones((1, 1, 3))
    picture = Image.fromarray(grain.clip(0, 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(float(rng.choice([0, 0, 1, 4, 12]))))


KINDS: dict[str, Callable[[Rng], Image.Image]] = {
    "text": text_page, "screenshot": screenshot, "drawing": drawing, "chart": chart,
    "texture": texture, "blank": blank, "noise": noise,
}  # fmt: skip


def make(count: int, seed: int) -> list[tuple[str, Image.Image]]:
    """`count` pictures with their kinds, as many of each."""
    names = [*KINDS]
    picked = [names[i % len(names)] for i in range(count)]
    return [(n, KINDS[n](np.random.default_rng([seed, i]))) for i, n in enumerate(picked)]


def main(
    folder: Path,
    count: Annotated[int, typer.Option()] = 315,
    seed: Annotated[int, typer.Option()] = 0,
) -> None:
    """Write such pictures into a folder, named after their kinds."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, (kind, picture) in enumerate(make(count, seed)):
        picture.save(folder / f"{kind}-{i:04}.png")


if __name__ == "__main__":
    typer.run(main)
