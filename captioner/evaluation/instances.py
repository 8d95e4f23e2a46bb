"""What is in the photos: boxes of named categories, from a COCO instances file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from captioner.datasets.captions import PhotoId, brief, first_few, json_rows, photo_id, read_json
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
    """All categories, and the boxed photos by id (as text, whatever the file has).

    `notes` say what was left out.
    """

    categories: tuple[str, ...]
    photos: dict[str, Boxed]
    notes: tuple[str, ...] = ()

    def of(self, key: PhotoId) -> Boxed | None:
        """The boxes of a photo; None where it is not in the file."""
        return self.photos.get(str(photo_id(key)))


def read_instances(path: Path) -> Instances:
    """Read a COCO `instances_*.json`.

    An image entry may say under "categories" which were boxed: "all", or a list of names. Raises
    CaptionerError for a file of another kind.
    """
    content = read_json(path)
    rows = {}
    for name in ("categories", "images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise CaptionerError(f"{path}: not a COCO instances file: it has no list of '{name}'")
        rows[name] = [row.cells for row in json_rows(path, content[name])]
    if not rows["categories"]:
        raise CaptionerError(f"{path}: not a COCO instances file: it lists no 'categories'")
    try:
        return _instances(path, rows)
    except KeyError as error:
        raise CaptionerError(
            f"{path}: not a COCO instances file: an entry lacks its {error}"
        ) from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CaptionerError(
            f"{path}: not a COCO instances file: an entry has a name, size or box that is none"
        ) from error


def _instances(path: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Instances:
    names = {str(category["id"]): str(category["name"]) for category in rows["categories"]}
    sizes = {str(photo_id(image["id"])): _size(path, image) for image in rows["images"]}
    boxes: dict[str, dict[str, list[list[float]]]] = {}
    stray: list[str] = []
    for annotation in rows["annotations"]:
        key, category = str(photo_id(annotation["image_id"])), str(annotation["category_id"])
        if key not in sizes:
            stray.append(key)
            continue
        if category not in names:
            raise CaptionerError(
                f"{path}: a box is of category {brief(category)}, which the file does not list"
            )
        box = _box(sizes[key], annotation["bbox"])
        boxes.setdefault(key, {}).setdefault(names[category], []).append(box)
    everything = frozenset(names.values())
    photos = {}
    for image in rows["images"]:
        key, boxed = str(photo_id(image["id"])), image.get("categories", "all")
        photos[key] = Boxed(
            {name: np.array(found) for name, found in boxes.get(key, {}).items()},
            everything if boxed == "all" else frozenset(boxed),
        )
    note = f"{path.name}: boxes left out ({len(stray)}), of photos that it does not list: "
    notes = (note + first_few(dict.fromkeys(stray)),) if stray else ()
    return Instances(tuple(names.values()), photos, notes)


def _size(path: Path, image: Mapping[str, Any]) -> tuple[float, float]:
    width, height = float(image["width"]), float(image["height"])
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise CaptionerError(f"{path}: photo {brief(image['id'])} has no size")
    return width, height


def _box(size: tuple[float, float], bbox: Sequence[float]) -> list[float]:
    (width, height), (left, top, wide, high) = size, map(float, bbox)
    return [left / width, top / height, (left + wide) / width, (top + high) / height]
