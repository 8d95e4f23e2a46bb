"""Flickr8k or Flickr30k as it is downloaded → its part of data/prepared.

    python -m data.prepare_flickr flickr8k data/downloads/flickr8k
    python -m data.prepare_flickr flickr30k data/downloads/flickr30k

The folder holds, at any depth, the photos and either Karpathy's dataset_NAME.json or the
collection's own token file with the lists of its splits (Hodosh et al. 2013; Young et al. 2014; the
lists of Flickr30k: Plummer et al. 2015).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started as a file, too

from captioner.datasets.captions import CaptionedPhoto as Reference
from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError
from data.downloads import Download
from data.join import SPLITS, PreparedPhoto, flickr_id, summary
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

FIRST_ID = 10**12  # plus Flickr's own number: far from the ids of COCO
KARPATHY = "caption_datasets.zip from https://cs.stanford.edu/people/karpathy/deepimagesent/"


@dataclass(frozen=True)
class Collection:
    """The names of its official files, and where they are from."""

    tokens: str
    lists: dict[str, str]  # split → file of photo names
    photos_from: str
    lists_from: str


COLLECTIONS = {
    "flickr8k": Collection(
        "Flickr8k.token.txt",
        {
            "train": "Flickr_8k.trainImages.txt",
            "val": "Flickr_8k.devImages.txt",
            "test": "Flickr_8k.testImages.txt",
        },
        "Flickr8k_Dataset.zip by way of https://forms.illinois.edu/sec/1713398",
        "Flickr8k_text.zip by way of https://forms.illinois.edu/sec/1713398",
    ),
    "flickr30k": Collection(
        "results_20130124.token",
        {"train": "train.txt", "val": "val.txt", "test": "test.txt"},
        "flickr30k-images.tar.gz by way of https://shannon.cs.illinois.edu/DenotationGraph/",
        "https://github.com/BryanPlummer/flickr30k_entities",
    ),
}


def prepare_flickr(
    collection: Annotated[Literal["flickr8k", "flickr30k"], typer.Argument(help="Which it is.")],
    folder: Folder,
    output: Output = OUTPUT,
    side: Side = None,
    quality: Quality = 80,
    workers: Workers = CPUS,
    limit: Limit = None,
    allow_missing: AllowMissing = False,
) -> None:
    """Prepare Flickr8k or Flickr30k for training: photos and captions in the usual split."""
    settings = Settings(output, side, quality, workers, limit, allow_missing)
    photos = read_photos(collection, Download(folder))
    prepare(collection, photos, settings, COLLECTIONS[collection].photos_from)
    print(summary(output))


def read_photos(name: str, download: Download) -> list[PreparedPhoto]:
    """The photos that are in one of the splits. Raises CaptionerError."""
    originals = download.photos(r"(\d.*)\.jpg")
    return [
        PreparedPhoto(
            FIRST_ID + _number(reference.file_name),
            f"{name}/{Path(reference.file_name).stem}.webp",
            split,
            reference.captions,
            originals.get(Path(reference.file_name).stem),
        )
        for reference, split in _references(name, download)
    ]


def _number(file_name: str) -> int:
    number = flickr_id(file_name)
    if not number.isdigit():
        raise CaptionerError(f"{file_name}: is no photo of Flickr's, whose names begin with digits")
    return int(number)


def _references(name: str, download: Download) -> list[tuple[Reference, str]]:
    """Photos with the split that they are in, from whichever files are there."""
    own = COLLECTIONS[name]
    if f"dataset_{name}.json" in download.files or own.tokens not in download.files:
        file = download.file(f"dataset_{name}.json", KARPATHY)
        references = read_references(file)
        if any(reference.split not in SPLITS for reference in references):
            raise CaptionerError(f"{file}: has photos that are of no split train, val or test")
        return [(reference, reference.split) for reference in references]
    splits: dict[str, str] = {}
    for split, listing in own.lists.items():
        lines = download.file(listing, own.lists_from).read_text(errors="replace").split()
        splits |= {Path(line).stem: split for line in lines}
    # A photo in no list is of no split; Flickr8k's tokens also name a photo that never existed.
    found = {Path(r.file_name).stem: r for r in read_references(download.files[own.tokens])}
    if not found.keys() & splits.keys():
        raise CaptionerError(
            f"{download.folder}: {own.tokens} and the lists have no photo in common"
        )
    return [(found[stem], split) for stem, split in splits.items() if stem in found]


if __name__ == "__main__":
    main(prepare_flickr)
