"""Photos for the benchmarks: cut-outs of gradio's example photos, or of a folder's."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioner.datasets.photos.sources import files

EXAMPLES = ("lion.jpg", "cheetah.jpg", "tower.jpg", "cheetah1.jpg")


def make_photos(
    folder: Path, count: int, size: tuple[int, int] = (640, 480), source: Path | None = None
) -> list[Path]:
    """`count` JPEG files of that width and height in `folder`, no two alike: the same every time.

    They are cut out of the pictures in `source`; without it, out of those that gradio comes with.
    """
    if source is None:
        from gradio.media import get_image

        names = [get_image(name) for name in EXAMPLES]
    else:
        names = [name for name in files([str(source)]) if isinstance(name, str)]
    dice = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        with Image.open(names[number % len(names)]) as picture:
            width, height = picture.size
            part = dice.uniform(0.6, 1.0) * min(width / size[0], height / size[1])
            left = dice.uniform(0, width - part * size[0])
            top = dice.uniform(0, height - part * size[1])
            box = (left, top, left + part * size[0], top + part * size[1])
            made = picture.convert("RGB").resize(size, Image.Resampling.BICUBIC, box)
        paths.append(folder / f"{number:06}.jpg")
        made.save(paths[-1], quality=90)
    return paths


def linked_photos(folder: Path, count: int, originals: list[Path]) -> None:
    """`count` names for the originals' files, a thousand in a folder: they cost no disk."""
    for number in range(count):
        name = folder / f"{number // 1000:03}" / f"{number:06}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        os.link(originals[number % len(originals)], name)
