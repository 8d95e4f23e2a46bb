"""An album that a model learns in seconds: coloured squares, and sentences that name the colour."""

from __future__ import annotations

import csv
import json
import lzma
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from captioner.model.lite3 import Lite3
from captioner.training.data import Example
from captioner.training.recipe import DataConfig, Recipe, read_recipe
from tests.tiny import keep_signal

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
    """Random weights that let colours through."""
    torch.manual_seed(5)
    net = Lite3()
    keep_signal(net)
    save_file(net.state_dict(), file)
    return file


def example(name: str, *captions: str) -> Example:
    """A photo of that name with these captions, of words between spaces."""
    return Example(name, "coco", tuple(tuple(c.split()) for c in captions), captions)


class Album:
    """The files of the toy data set, and recipes that train on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.train = make_album(folder, 32, 0)
        self.val = make_album(folder, 8, 1)
        self.weights = save_lite3(folder / "lite3.safetensors")
        self.text = folder / "text.txt"
        self.text.write_text("a red square\nthe green square is on a wall\na blue wall\n" * 4)
        self.unlabelled = folder / "unlabelled.json"
        self.labels = folder / "labels.json"
        self._label(make_album(folder, 6, 2))

    def _label(self, captions: Path) -> None:
        """Labels of every second photo, and of some that have no captions."""
        images = json.loads(captions.read_text())["images"]
        for image in images:
            image["id"] += 1000
        self.unlabelled.write_text(json.dumps({"images": images, "annotations": []}))
        labels = {i: ["square", COLOURS[i % len(COLOURS)]] for i in range(0, 32, 2)}
        labels |= {image["id"]: [COLOURS[i % 4]] for i, image in enumerate(images)}
        self.labels.write_text(json.dumps(labels))

    def prepare(self, folder: Path) -> None:
        """The same files under the names that the recipes in configs/ read."""
        text = folder / "text"
        text.mkdir(parents=True)
        for name in ("coco", "flickr30k"):
            (text / f"{name}.txt.xz").write_bytes(lzma.compress(self.text.read_bytes()))
        for name, file in (
            ("captions_train.json", self.train), ("captions_val.json", self.val),
            ("labels.json", self.labels), ("unlabelled.json", self.unlabelled),
            ("efficientnet_lite3.safetensors", self.weights), ("photos", self.folder / "photos"),
        ):  # fmt: skip
            (folder / name).symlink_to(file)

    def tree(self, output: Path, **changes: Any) -> dict[str, Any]:
        """A recipe as it stands in a file; `changes` go to the section that has the field."""
        tree: dict[str, Any] = {
            "data": {
                "train": self.train,
                "photos": [self.folder / "photos"],
                "minimum_count": 1,
                "attribute_minimum": 2,
                "max_words": 8,
                "cache": self.folder / "cache",
            },
            "encoder": {"pixels": PIXELS},
            "attributes": {"words": 8, "shown": 3, "hidden": 16},
            "decoder": {"size": 24, "hidden": 32},
            "training": {
                "output": output,
                "weights": self.weights,
                "max_steps": 3,
                "batch_photos": 8,
                "captions_per_photo": 3,
                "learning_rate": 0.01,
                "label_smoothing": 0.0,
                "dropout": 0.0,
                "grid_dropout": 0.0,
                "stochastic_depth": 0.0,
                "average": 0.9,
                "bf16": False,
            },
        }
        for field, value in changes.items():
            tree["data" if field in DataConfig.model_fields else "training"][field] = value
        return tree

    def write(self, output: Path, **changes: Any) -> Path:
        """The same as a file beside `output`."""
        file = output.with_suffix(".json")
        file.write_text(json.dumps(self.tree(output, **changes), default=str))
        return file

    def recipe(self, output: Path, *settings: str, **changes: Any) -> Recipe:
        """The same, read, with `settings` as after --set."""
        return read_recipe(self.write(output, **changes), settings)


def losses(output: Path) -> list[float]:
    """The loss of each step, from a run's log."""
    with (output / "log.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]


def wait_for_losses(process: subprocess.Popen[Any], output: Path, steps: int) -> None:
    """Until a training process has logged so many steps; one that ends or hangs fails the test."""
    deadline = time.monotonic() + 200
    while not (output / "log.csv").exists() or len(losses(output)) < steps:
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()  # torchrun ends its own processes then
            try:
                raise AssertionError(process.communicate(timeout=30))
            finally:
                process.kill()
        time.sleep(0.02)
