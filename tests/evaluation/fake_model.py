"""Photos, references and a captioner without a model, for the command's tests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scored_sentences import CANDIDATES, REFERENCES

from captioner.caption import Caption
from captioner.errors import ImageError
from captioner.images import open_image
from captioner.options import Options

FLICKR = (2, 5, 9)


def caption(text: str, peak: int = 0) -> Caption:
    words = tuple(text.lower().replace(".", "").split())
    attention = np.full((len(words), 4, 4), 0.01, np.float32)
    attention[:, peak // 4, peak % 4] = 0.85
    certain = tuple(0.5 + 0.4 * (place % 2) for place in range(len(words)))
    score = float(np.exp(np.mean(np.log(certain))))
    return Caption(text, words, score, len(words) * float(np.log(score)), certain, attention)


class FakeCaptioner:
    """Knows a photo by its colour: photo number n is (10 n, 0, 0)."""

    name = "fake"
    styles = ("coco", "flickr8k")

    def __init__(self) -> None:
        self.styles_asked: list[tuple[str, int]] = []

    def caption_many(
        self, images: Iterable[Any], batch_size: int, options: Options, errors: str
    ) -> Iterator[Caption | ImageError]:
        assert errors == "return"
        for image in images:
            try:
                picture = open_image(image)
            except ImageError as error:
                yield error
                continue
            number = round(picture.getpixel((0, 0))[0] / 10)
            self.styles_asked.append((options.style, number))
            first = caption(list(CANDIDATES.values())[number - 1].replace("\n", " "), number)
            others = tuple(caption("a photo of a thing") for _ in range(options.alternatives))
            yield Caption(**{**vars(first), "alternatives": others})


def file_name(number: int) -> str:
    return f"photos/{number:03}.png"


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (10 * number, 0, 0)).save(file, "PNG")
    return file.getvalue()


def write_annotations(folder: Path) -> Path:
    """A COCO file of twelve photos, three of them from elsewhere."""
    content = {
        "images": [
            {
                "id": key,
                "file_name": file_name(number),
                "source": "flickr8k" if key in FLICKR else "coco",
            }
            for number, key in enumerate(REFERENCES, 1)
        ],
        "annotations": [
            {"image_id": key, "caption": text}
            for key, texts in REFERENCES.items()
            for text in texts
        ],
    }
    path = folder / "captions.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_photos(folder: Path) -> Path:
    """A tar of the twelve photos, last one first."""
    path = folder / "photos.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(len(REFERENCES), 0, -1):
            entry = tarfile.TarInfo(file_name(number))
            entry.size = len(picture(number))
            archive.addfile(entry, io.BytesIO(picture(number)))
    return path


def write_instances(folder: Path) -> Path:
    """Photo 1 has a dog in its upper left quarter; photo 11 has no zebra."""
    content = {
        "images": [{"id": key, "width": 40, "height": 30} for key in (1, 11)],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 20, 15]}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "zebra"}],
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_results(folder: Path, captions: dict[Any, str], name: str = "results.json") -> Path:
    path = folder / name
    entries = [{"image_id": key, "caption": text} for key, text in captions.items()]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path
