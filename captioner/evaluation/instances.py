"""What is in the photos: boxes of named categories, from a COCO instances file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from captioner.datasets.captions import PhotoId, read_json
from captioner.errors import CaptionerError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Boxed:
    """The boxes of one photo.

    `boxes` maps a category to (n, 4): left, top, right, bottom as shares of width and height, so
    that another size of the same photo does not matter. `judged` are the categories whose absence
    means something: all of them, unless the file says that only some were boxed.
    """

    boxes: dict[str, Array]
    judged: frozenset[str]

    def has(self, categories: Sequence[str]) -> bool:
        """Whether any of the categories is in the photo."""
        return any(category in self.boxes for category in categories)

    def judges(self, categories: Sequence[str]) -> bool:
        """Whether it would be known if any of the categories were in the photo."""
        return all(category in self.judged for category in categories)


@dataclass(frozen=True, eq=False)
class Instances:
    """All categories, and the boxed photos by id (as text, whatever the file has)."""

    categories: tuple[str, ...]
    photos: dict[str, Boxed]

    def of(self, key: PhotoId) -> Boxed | None:
        """The boxes of a photo; None where it is not in the file."""
        return self.photos.get(str(key))


def read_instances(path: Path) -> Instances:
    """Read a COCO `instances_*.json`.

    An image entry may say under "categories" which were boxed: "all", or a list of names. Raises
    CaptionerError for a file of another kind.
    """
    content = read_json(path)
    try:
        return _instances(content)
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise CaptionerError(
            f"{path}: not a COCO instances file with images, categories and boxes ({error!r})"
        ) from error


def _instances(content: Any) -> Instances:
    names = {category["id"]: category["name"] for category in content["categories"]}
    everything = frozenset(names.values())
    boxes: dict[str, dict[str, list[list[float]]]] = {}
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    for annotation in content["annotations"]:
        key = annotation["image_id"]
        (width, height), (left, top, wide, high) = sizes[key], annotation["bbox"]
        box = [left / width, top / height, (left + wide) / width, (top + high) / height]
        photo = boxes.setdefault(str(key), {})
        photo.setdefault(names[annotation["category_id"]], []).append(box)
    photos = {}
    for image in content["images"]:
        boxed = image.get("categories", "all")
        photos[str(image["id"])] = Boxed(
            {name: np.array(found) for name, found in boxes.get(str(image["id"]), {}).items()},
            everything if boxed == "all" else frozenset(boxed),
        )
    return Instances(tuple(names.values()), photos)
