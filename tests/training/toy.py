"""An album that a model learns in seconds: coloured squares, and sentences that name the colour."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from torch import nn

from captioner.config import Recipe, read_recipe
from captioner.model.lite3 import Lite3

COLOURS = ("red", "green", "blue", "yellow")
SENTENCES = ("A {} square on a wall.", "A square that is {}.", "Someone painted a {} square, big.")
PIXELS = 64


def draw(colour: str, rng: np.random.Generator) -> Image.Image:
    """A square of the colour somewhere on grey, with noise."""
    noise = rng.integers(90, 150, (PIXELS, PIXELS, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    left, top = rng.integers(4, 20, 2).tolist()
    side = int(rng.integers(28, 40))
    ImageDraw.Draw(image).rectangle((left, top, left + side, top + side), fill=colour)
    return image


def make_album(folder: Path, count: int, seed: int) -> Path:
    """Photos under `folder`/photos and their COCO captions; returns the captions file."""
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for i in range(count):
        colour, name = COLOURS[i % len(COLOURS)], f"{seed}-{i}.png"
        draw(colour, rng).save(photos / name)
        images.append({"id": i, "file_name": name})
        annotations += [
            {"id": len(SENTENCES) * i + j, "image_id": i, "caption": sentence.format(colour)}
            for j, sentence in enumerate(SENTENCES)
        ]
    file = folder / f"captions-{seed}.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    return file


def save_lite3(file: Path) -> Path:
    """Random weights under which a signal neither dies nor grows on its way."""
    torch.manual_seed(5)
    net = Lite3()
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    for name, weight in net.named_parameters():
        if "project" in name:
            weight.data *= 0.5
    save_file(net.state_dict(), file)
    return file


class Album:
    """The files of the toy data set, and recipes that train on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = make_album(folder, 32, 0)
        self.val = make_album(folder, 8, 1)
        self.weights = save_lite3(folder / "lite3.safetensors")
        self.text = folder / "text.txt"
        self.text.write_text("a red square\nthe green square is on a wall\na blue wall\n" * 4)

    def tree(self, output: Path, **training: Any) -> dict[str, Any]:
        """A recipe as it stands in a file; `training` changes its stage."""
        return {
            "data": {
                "train": str(self.train),
                "val": str(self.val),
                "photos": [str(self.folder / "photos")],
                "minimum_count": 1,
                "attribute_minimum": 2,
                "max_words": 8,
                "cache": str(self.folder / "cache"),
            },
            "encoder": {"pixels": PIXELS},
            "attributes": {"words": 8, "shown": 3, "hidden": 16},
            "decoder": {"size": 24, "hidden": 32},
            "training": {
                "output": str(output),
                "weights": str(self.weights),
                "max_steps": 4,
                "batch_photos": 8,
                "captions_per_photo": 3,
                "learning_rate": 0.01,
                "label_smoothing": 0.0,
                "dropout": 0.0,
                "grid_dropout": 0.0,
                "stochastic_depth": 0.0,
                "average": 0.9,
                "bf16": False,
                **training,
            },
        }

    def write(self, output: Path, **training: Any) -> Path:
        """The same as a file beside `output`."""
        file = output.with_suffix(".json")
        file.write_text(json.dumps(self.tree(output, **training)))
        return file

    def recipe(self, output: Path, *changes: str, **training: Any) -> Recipe:
        return read_recipe(self.write(output, **training), changes)
