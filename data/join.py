"""The files for training in data/prepared, put together from one part a collection.

Each script leaves its collection's photos, captions and sizes in parts/NAME.json; `join` makes the
files that the recipes read out of all the parts, so the order in which they came does not matter.
"""

from __future__ import annotations

import fcntl
import json
import lzma
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from captioner.datasets.captions import read_json
from captioner.errors import CaptionerError
from captioner.files import whole_file
from data.shards import Size

SOURCES = ("coco", "flickr8k", "flickr30k")
SPLITS = ("train", "val", "test")
WEIGHTS = "efficientnet_lite3.safetensors"


@dataclass(frozen=True)
class PreparedPhoto:
    """A photo with its captions. `original` is None where it is not at hand, `size` (width,
    height in pixels, as prepared) where it is not used."""

    id: int
    name: str
    split: str
    captions: tuple[str, ...]
    original: Path | None = None
    size: Size | None = None


def refuse_other_making(output: Path, parts: bool) -> None:
    """Raise CaptionerError where a folder holds captions that were not (or were) joined of parts,
    and would be lost."""
    if (output / "captions_train.json").exists() and (output / "parts").is_dir() != parts:
        maker = "data.from_folder" if parts else "data.prepare_coco or data.prepare_flickr"
        raise CaptionerError(
            f"{output}: was filled by {maker}, and the two do not mix; name another --output or"
            " delete it"
        )


def add(output: Path, source: str, photos: Sequence[PreparedPhoto]) -> None:
    """Replace a collection's part and join all of them, one program at a time."""
    make_folder(output / "parts")
    rows = [{**asdict(photo), "original": None} for photo in photos]
    with (output / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        write_json(output / "parts" / f"{source}.json", rows)
        join(output)


def join(output: Path) -> None:
    """Write captions_*.json and text/*.txt.xz from the parts that are there.

    Photos of Flickr30k that are in Flickr8k too are left out with their sentences, whatever their
    split. Sentences of training photos that are not in use become text.
    """
    parts = {source: _read_part(output, source) for source in SOURCES}
    eight = {flickr_id(photo.name) for photo in parts["flickr8k"]}
    parts["flickr30k"] = [p for p in parts["flickr30k"] if flickr_id(p.name) not in eight]
    for split in SPLITS:
        used = [
            (source, photo)
            for source in SOURCES
            for photo in parts[source]
            if photo.split == split and photo.size
        ]
        write_json(output / f"captions_{split}.json", _coco_format(used))
    make_folder(output / "text")
    for source in SOURCES:
        rest = [photo for photo in parts[source] if photo.split == "train" and not photo.size]
        write_text(output / "text" / f"{source}.txt.xz", [c for p in rest for c in p.captions])


def flickr_id(name: str) -> str:
    """Flickr's number for a photo: both collections' file names begin with it."""
    return Path(name).stem.partition("_")[0]


def _read_part(output: Path, source: str) -> list[PreparedPhoto]:
    file = output / "parts" / f"{source}.json"
    if not file.exists():
        return []
    try:
        photos = [PreparedPhoto(**row) for row in read_json(file)]
    except TypeError:
        raise CaptionerError(f"{file}: is not of this program's making; delete it") from None
    return sorted(photos, key=lambda photo: photo.name)


def _coco_format(photos: Sequence[tuple[str, PreparedPhoto]]) -> dict[str, Any]:
    images = [
        {
            "id": photo.id,
            "file_name": photo.name,
            "width": photo.size[0],
            "height": photo.size[1],
            "source": source,
        }
        for source, photo in photos
        if photo.size
    ]
    captions = [(photo.id, caption) for _, photo in photos for caption in photo.captions]
    return {
        "images": images,
        "annotations": [
            {"id": number, "image_id": image, "caption": caption}
            for number, (image, caption) in enumerate(captions, 1)
        ],
    }


def summary(output: Path) -> str:
    """A line for each split, and one where the encoder's weights are still lacking."""
    lines = []
    for split in SPLITS:
        file = output / f"captions_{split}.json"
        if not file.exists():
            continue
        content = read_json(file)
        sources = Counter(image.get("source", "") for image in content["images"])
        of = ", ".join(f"{count:,} {source}" for source, count in sources.items())
        captions = len(content["annotations"])
        lines.append(
            f"{split}: {len(content['images']):,} photos ({of or 'none'}), {captions:,} captions"
        )
    if not (output / WEIGHTS).exists():
        lines.append(f"{output / WEIGHTS}: still to come, from data.prepare_weights")
    return "\n".join(lines)


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaptionerError(f"{folder}: cannot be made ({error.strerror})") from None


def write_json(file: Path, content: Any) -> None:
    write_bytes(file, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def write_text(file: Path, sentences: Sequence[str]) -> None:
    """Write one sentence a line, xz-compressed."""
    lines = "".join(" ".join(sentence.split()) + "\n" for sentence in sentences)
    write_bytes(file, lzma.compress(lines.encode()))


def write_bytes(file: Path, content: bytes) -> None:
    """Write a file whole or not at all. Raises CaptionerError."""
    with whole_file(file, "wb") as out:
        out.write(content)
