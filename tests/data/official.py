"""Downloads as COCO, Flickr8k and Flickr30k come, with a dozen drawn photos each."""

from __future__ import annotations

import json
import lzma
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, ImageDraw

RED, GREY = (220, 30, 30), (120, 120, 120)
BOX = (0.25, 0.5, 0.4, 0.3)  # left, top, width, height as shares of the photo's

# COCO: id → split, (width, height)
COCO = {
    9: ("train", (640, 480)),
    25: ("train", (480, 640)),
    30: ("restval", (640, 427)),
    34: ("restval", (250, 200)),
    42: ("val", (640, 480)),
    73: ("val", (500, 400)),
    74: ("val", (300, 640)),
    133: ("test", (640, 360)),
    136: ("test", (640, 640)),
    36979: ("test", (480, 500)),
}
WITHOUT_OBJECTS = 25  # COCO has looked, and found none of its categories
FLICKR8K = {
    "1000268201_693b08cb0e": "train",
    "1001773457_577c3a7d70": "train",
    "1002674143_1b742ab4b8": "val",
    "1003163366_44323f5815": "test",
}
FLICKR30K = {
    "1000092795": "train",
    "10002456": "train",
    "1001773457": "train",  # also in Flickr8k's train
    "1003163366": "train",  # also in Flickr8k's test
    "1007129816": "val",
    "36979": "test",  # the number of a COCO photo, too
}


def captions(name: object) -> list[str]:
    return [f"Sentence {number} about photo {name} ." for number in range(5)]


def draw(file: Path, size: tuple[int, int], orientation: int = 1) -> None:
    """A grey photo with a red box at BOX."""
    file.parent.mkdir(parents=True, exist_ok=True)
    photo = Image.new("RGB", size, GREY)
    left, top, width, height = pixels(size)
    ImageDraw.Draw(photo).rectangle((left, top, left + width, top + height), fill=RED)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    photo.save(file, quality=92, exif=exif)


def pixels(size: tuple[int, int]) -> list[float]:
    """BOX in the pixels of a photo, as COCO writes boxes: left, top, width, height."""
    return [share * size[i % 2] for i, share in enumerate(BOX)]


def coco_name(number: int) -> str:
    folder = "train2014" if COCO[number][0] == "train" else "val2014"
    return f"{folder}/COCO_{folder}_{number:012}.jpg"


def write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def karpathy(source: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The layout of dataset_*.json; rows have filename, split and what is the collection's own."""
    images = []
    for number, row in enumerate(rows):
        name = row.get("cocoid", Path(row["filename"]).stem)
        sentences = [
            {
                "tokens": raw.lower().split()[:-1],
                "raw": raw,
                "imgid": number,
                "sentid": 5 * number + i,
            }
            for i, raw in enumerate(captions(name))
        ]
        images.append({**row, "imgid": number, "sentences": sentences})
    return {"dataset": source, "images": images}


def make_coco(folder: Path) -> Path:
    """train2014/, val2014/, dataset_coco.json, annotations/instances_{train,val}2014.json."""
    rows, images, annotations = [], [], []
    for number, (split, size) in COCO.items():
        name = coco_name(number)
        draw(folder / name, size)
        above, base = name.split("/")
        rows.append({"filepath": above, "filename": base, "cocoid": number, "split": split})
        images.append({"id": number, "file_name": base, "width": size[0], "height": size[1]})
        box = pixels(size)
        annotations.append(
            {
                "id": 1000 + number,
                "image_id": number,
                "category_id": 18,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
                "segmentation": [[1, 2, 3, 4, 5, 6]],
            }
        )
    write(folder / "dataset_coco.json", karpathy("coco", rows))
    for year in ("train2014", "val2014"):
        own = {number for number in COCO if coco_name(number).startswith(year)}
        instances = {
            "images": [image for image in images if image["id"] in own],
            "annotations": [
                row for row in annotations if row["image_id"] in own - {WITHOUT_OBJECTS}
            ],
            "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}],
        }
        write(folder / "annotations" / f"instances_{year}.json", instances)
    return folder


def make_flickr(folder: Path, source: str, official: bool) -> Path:
    """Photos with the collection's own files, or with Karpathy's."""
    photos = {"flickr8k": FLICKR8K, "flickr30k": FLICKR30K}[source]
    for number, name in enumerate(photos):
        draw(folder / "Images" / f"{name}.jpg", (500, 333 + number))
    if not official:
        rows = [{"filename": f"{name}.jpg", "split": split} for name, split in photos.items()]
        write(folder / f"dataset_{source}.json", karpathy(source, rows))
        return folder
    tokens = [f"{n}.jpg#{i}\t{text}" for n in photos for i, text in enumerate(captions(n))]
    eight = source == "flickr8k"
    if eight:  # a photo that is in no list, and one that does not exist
        draw(folder / "Images" / "99_00.jpg", (500, 375))
        tokens += ["99_00.jpg#0\tNobody counts this .", "2258277193_586949ec62.jpg.1#0\tNor this ."]
    token_file = "Flickr8k.token.txt" if eight else "results_20130124.token"
    write(folder / "text" / token_file, "\n".join(tokens) + "\n")
    for split, own in (("train", "train"), ("val", "dev"), ("test", "test")):
        named = [name for name, of in photos.items() if of == split]
        listing = f"Flickr_8k.{own}Images.txt" if eight else f"{split}.txt"
        suffix = ".jpg" if eight else ""
        write(folder / "text" / listing, "".join(f"{name}{suffix}\n" for name in named))
    return folder


def packed(output: Path) -> dict[str, Image.Image]:
    """All photos in the tar files of a prepared folder, by name."""
    photos = {}
    for shard in sorted((output / "photos").glob("*.tar")):
        with tarfile.open(shard) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                assert content is not None
                photos[entry.name] = Image.open(content)
                photos[entry.name].load()
    return photos


def text(output: Path, source: str) -> list[str]:
    """The sentences without photos in a prepared folder."""
    with lzma.open(output / "text" / f"{source}.txt.xz", "rt") as lines:
        return lines.read().splitlines()
