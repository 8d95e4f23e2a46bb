"""A folder that holds prepared data already → data/prepared, by links or as copies.

    python -m data.from_folder FOLDER

The folder holds captions_train.json and captions_val.json (captions_test.json, instances_*.json,
labels.json, unlabelled.json), photos/ with tar files or folders, text/*.txt.xz, and
efficientnet_lite3.safetensors, which may also lie in a folder weights beside it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started as a file, too

from captioner.datasets.captions import first_few, read_references
from captioner.errors import CaptionerError
from captioner.files import drafts, unwritable
from captioner.training.data import PhotoFiles
from data.join import SPLITS, WEIGHTS, make_folder, refuse_other_making, summary, write_text
from data.prepare import OUTPUT, Output, main

TEXT = ("coco", "flickr30k")  # what the recipes read


def from_folder(
    folder: Annotated[Path, typer.Argument(help="The folder with the prepared data.")],
    output: Output = OUTPUT,
    weights: Annotated[
        Path | None, typer.Option(help=f"{WEIGHTS}, where it is not in FOLDER.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the files, do not link them.")] = False,
) -> None:
    """Take over a folder of prepared photos, captions and sentences."""
    _check(folder)
    if output.resolve() == folder.resolve():
        raise CaptionerError(f"{folder}: is the output itself; nothing to do")
    refuse_other_making(output, parts=False)
    for file in _files(folder):
        _put(file, output / file.relative_to(folder), copy)
    found = _weights(folder, weights)
    if found:
        _put(found, output / WEIGHTS, copy)
    make_folder(output / "text")
    for name in TEXT:
        if not (output / "text" / f"{name}.txt.xz").exists():
            write_text(output / "text" / f"{name}.txt.xz", [])
    print(summary(output))


def _check(folder: Path) -> None:
    """Raise CaptionerError unless every photo with captions is there."""
    if not (folder / "photos").is_dir():
        raise CaptionerError(f"{folder}: has no folder photos, with tar files or photos in it")
    places = PhotoFiles([folder / "photos"])
    for split in SPLITS:
        file = folder / f"captions_{split}.json"
        if split == "test" and not file.exists():
            continue
        names = [photo.file_name for photo in read_references(file)]
        lost = [name for name in names if not _is_in(places, name)]
        if lost:
            raise CaptionerError(
                f"{file}: {len(lost)} of its photos are not in {folder / 'photos'}:"
                f" {first_few(lost, 3)}"
            )


def _is_in(places: PhotoFiles, name: str) -> bool:
    return name in places.members or any((place / name).is_file() for place in places.folders)


def _files(folder: Path) -> Iterator[Path]:
    jsons = ("captions_*.json", "instances_*.json", "labels.json", "unlabelled.json")
    for pattern in (*jsons, "photos/*", "text/*.txt*"):
        yield from sorted(folder.glob(pattern))


def _weights(folder: Path, named: Path | None) -> Path | None:
    places = [named] if named else [folder / WEIGHTS, folder.resolve().parent / "weights" / WEIGHTS]
    found = next((place for place in places if place.is_file()), None)
    if named and not found:
        raise CaptionerError(f"{named}: there is no such file of weights")
    return found


def _put(file: Path, target: Path, copy: bool) -> None:
    """Link or copy a file or a folder to `target`, whole or not at all."""
    make_folder(target.parent)
    try:
        with drafts(target.parent) as room:
            draft = room / target.name
            if not copy:
                draft.symlink_to(file.resolve())
            elif file.is_dir():
                shutil.copytree(file, draft, copy_function=shutil.copyfile)
            else:
                shutil.copyfile(file, draft)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            os.replace(draft, target)
    except OSError as error:
        raise unwritable(target, error) from None


if __name__ == "__main__":
    main(from_folder)
