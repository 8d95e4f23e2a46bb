"""Made pictures and their captions, in words that no model of ours knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.toy import draw

NAMES = {"red": "Rex", "green": "Schönbrunn", "blue": "café"}


def album(folder: Path, count: int = 30, seed: int = 0) -> Path:
    """`count` pictures of squares, each with a caption in a text file beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        colour = list(NAMES)[number % 3]
        draw(colour, rng).save(folder / f"{number:03d}.png")
        text = f"a square that is {NAMES[colour]}.\n"
        (folder / f"{number:03d}.txt").write_text(text, encoding="utf-8")
    return folder


def picture(colour: str, seed: int = 99) -> Image.Image:
    """A picture that is in no album."""
    return draw(colour, np.random.default_rng(seed))
