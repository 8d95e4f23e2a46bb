"""COCO as it is downloaded → its part of data/prepared.

    python -m data.prepare_coco data/downloads/coco

The folder holds, at any depth, dataset_coco.json (captions and splits: Karpathy and Fei-Fei 2015),
the photos of 2014 or 2017 (Lin et al. 2014), and for boxes and labels the instances_*.json of
the same year.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started as a file, too

from captioner.datasets.captions import read_json, read_references
from captioner.errors import CaptionerError
from data.downloads import Download
from data.join import PreparedPhoto, summary, write_json
from data.prepare import (
    CPUS,
    OUTPUT,
    AllowMissing,
    Folder,
    Limit,
    Output,
    Quality,
    Settings,
    Side,
    Workers,
    main,
    prepare,
)
from data.shards import Size, small_size

SPLITS = {"train": "train", "restval": "train", "val": "val", "test": "test"}
PHOTO = r"(?:COCO_(?:train|val)2014_)?(\d{12})\.jpg"
INSTANCES = (
    ("instances_train2014.json", "instances_val2014.json"),
    ("instances_train2017.json", "instances_val2017.json"),
)
CAPTIONS_FROM = "caption_datasets.zip from https://cs.stanford.edu/people/karpathy/deepimagesent/"
PHOTOS_FROM = "train2014.zip and val2014.zip from https://cocodataset.org/#download"


def prepare_coco(
    folder: Folder = Path("data/downloads/coco"),
    output: Output = OUTPUT,
    side: Side = None,
    quality: Quality = 80,
    workers: Workers = CPUS,
    limit: Limit = None,
    allow_missing: AllowMissing = False,
) -> None:
    """Prepare COCO for training: photos, captions in Karpathy's split, labels of train, boxes of
    val and test."""
    settings = Settings(output, side, quality, workers, limit, allow_missing)
    download = Download(folder)
    used = prepare("coco", read_photos(download), settings, PHOTOS_FROM)
    print(summary(output))
    print(_write_instances(download, used, output))


def read_photos(download: Download) -> list[PreparedPhoto]:
    """COCO's photos in the order of Karpathy's file. Raises CaptionerError."""
    file = download.file("dataset_coco.json", CAPTIONS_FROM)
    originals = download.photos(PHOTO)
    photos = []
    for photo in read_references(file):
        if photo.source != "coco" or photo.split not in SPLITS or not isinstance(photo.id, int):
            raise CaptionerError(
                f"{file}: is not Karpathy's file of COCO: {photo.file_name} is of the collection"
                f" {photo.source!r} and the split {photo.split!r}"
            )
        number = f"{photo.id:012}"
        original = originals.get(number)
        split = SPLITS[photo.split]
        photos.append(
            PreparedPhoto(photo.id, f"coco/{number}.webp", split, photo.captions, original)
        )
    return photos


def _write_instances(download: Download, photos: Sequence[PreparedPhoto], output: Path) -> str:
    """Write labels.json and instances_{val,test}.json where COCO's own are at hand; returns lines
    about them."""
    found = max(([n for n in names if n in download.files] for names in INSTANCES), key=len)
    if not found:
        return (
            "no labels, no boxes: instances_train2014.json and instances_val2014.json"
            " (annotations_trainval2014.zip) are not there"
        )
    contents = [read_json(download.files[name]) for name in found]
    by_split = {
        split: [p for p in photos if p.split == split] for split in ("train", "val", "test")
    }
    lines = []
    try:
        labels = labels_of(by_split["train"], contents)
        for split in ("val", "test"):
            boxes = boxes_of(by_split[split], contents)
            write_json(output / f"instances_{split}.json", boxes)
            lines.append(f"{output}/instances_{split}.json: {len(boxes['annotations']):,} boxes")
    except (KeyError, TypeError) as error:
        raise CaptionerError(f"{found[0]}: is not COCO's instances file ({error!r})") from None
    write_json(output / "labels.json", labels)
    lines.append(f"{output}/labels.json: labels of {len(labels):,} photos")
    return "\n".join(lines)


def labels_of(
    photos: Sequence[PreparedPhoto], contents: Sequence[Mapping[str, Any]]
) -> dict[str, list[str]]:
    """The names of the categories in each of these photos that COCO has looked through."""
    names = {c["id"]: c["name"] for content in contents for c in content["categories"]}
    looked_through = {image["id"] for content in contents for image in content["images"]}
    seen: dict[int, set[str]] = {p.id: set() for p in photos if p.size and p.id in looked_through}
    for annotation in (a for content in contents for a in content["annotations"]):
        if annotation["image_id"] in seen:
            seen[annotation["image_id"]].add(names[annotation["category_id"]])
    return {str(photo): sorted(found) for photo, found in seen.items()}


def boxes_of(
    photos: Sequence[PreparedPhoto], contents: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """COCO's instances of these photos, in the pixels of the photos as they were prepared.

    Left out are photos that were turned upright or otherwise differ in shape from what was boxed.
    """
    sizes = {photo.id: photo.size for photo in photos if photo.size}
    scales: dict[int, float] = {}
    for image in (image for content in contents for image in content["images"]):
        size = sizes.get(image["id"])
        if size and _same_shape(size, (image["width"], image["height"])):
            scales[image["id"]] = size[0] / image["width"]
    return {
        "images": [
            {
                "id": photo.id,
                "file_name": photo.name,
                "width": photo.size[0],
                "height": photo.size[1],
                "categories": "all",
            }
            for photo in photos
            if photo.size and photo.id in scales
        ],
        "annotations": list(_scaled(contents, scales)),
        "categories": [{"id": c["id"], "name": c["name"]} for c in contents[0]["categories"]],
    }


def _same_shape(size: Size, boxed: Size) -> bool:
    expected = small_size(boxed, min(size))
    return all(abs(a - b) <= 2 for a, b in zip(size, expected, strict=True))


def _scaled(
    contents: Sequence[Mapping[str, Any]], scales: Mapping[int, float]
) -> Iterator[dict[str, Any]]:
    for annotation in (a for content in contents for a in content["annotations"]):
        scale = scales.get(annotation["image_id"])
        if scale:
            yield {
                "id": annotation["id"],
                "image_id": annotation["image_id"],
                "category_id": annotation["category_id"],
                "bbox": [round(number * scale, 1) for number in annotation["bbox"]],
                "area": round(annotation["area"] * scale**2, 1),
                "iscrowd": annotation["iscrowd"],
            }


if __name__ == "__main__":
    main(prepare_coco)
