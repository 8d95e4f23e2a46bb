"""The way that all collections go: photos found, made small, packed, joined to the others."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from captioner.datasets.captions import first_few
from captioner.errors import CaptionerError
from data.join import SPLITS, PreparedPhoto, add, make_folder, refuse_other_making
from data.shards import PHOTOS_A_SHARD, Original, Shard, pack_all, sweep

SIDES = (288, 320, 352)  # of a photo in train, val, test: its shorter side, pixels
OUTPUT = Path("data/prepared")
CPUS = os.cpu_count() or 1

Folder = Annotated[Path, typer.Argument(help="The folder of the downloads.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the prepared files go.")]
Side = Annotated[
    int | None,
    typer.Option(min=32, help="Pixels of a photo's shorter side. [default: 288, 320, 352]"),
]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of the WebP photos.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes at work.")]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Use this many photos of each split, to try things out.")
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="Leave out photos that are absent or damaged.")
]


@dataclass(frozen=True)
class Settings:
    output: Path = OUTPUT
    side: int | None = None
    quality: int = 80
    workers: int = 1
    limit: int | None = None
    allow_missing: bool = False


def prepare(
    source: str, photos: Sequence[PreparedPhoto], settings: Settings, where: str
) -> list[PreparedPhoto]:
    """Shrink and pack the photos of a collection and join it to the others; returns those in use.

    `where` says where photos can be had that are not there. Raises CaptionerError where photos are
    absent or damaged, unless that is allowed, and for an output of other making.
    """
    refuse_other_making(settings.output, parts=True)
    chosen = _chosen(photos, settings)
    _refuse_missing(chosen, settings, where)
    folder = settings.output / "photos"
    make_folder(folder)
    shards = list(_shards(source, chosen, folder, settings))
    sweep(folder, source, shards)
    packed = pack_all(shards, settings.workers)
    if packed.damaged and not settings.allow_missing:
        raise CaptionerError(
            f"{len(packed.damaged)} of {len(chosen)} photos cannot be read:"
            f" {first_few(packed.damaged, 3)}; download them again, or leave them out with"
            " --allow-missing (the others are done)"
        )
    sized = [replace(photo, size=packed.sizes.get(photo.name)) for photo in photos]
    add(settings.output, source, sized)
    return [photo for photo in sized if photo.size]


def _chosen(photos: Sequence[PreparedPhoto], settings: Settings) -> list[PreparedPhoto]:
    taken: Counter[str] = Counter()
    chosen = []
    for photo in photos:
        if settings.limit is None or taken[photo.split] < settings.limit:
            taken[photo.split] += 1
            chosen.append(photo)
    return chosen


def _refuse_missing(photos: Sequence[PreparedPhoto], settings: Settings, where: str) -> None:
    missing = [photo.name for photo in photos if photo.original is None]
    if not missing:
        return
    if len(missing) == len(photos):
        raise CaptionerError(f"none of the photos is there, such as {missing[0]}; get {where}")
    if not settings.allow_missing:
        raise CaptionerError(
            f"{len(missing)} of {len(photos)} photos are not there: {first_few(missing, 3)}; get"
            f" {where}, or leave them out with --allow-missing"
        )


def _shards(
    source: str, photos: Sequence[PreparedPhoto], folder: Path, settings: Settings
) -> Iterator[Shard]:
    for split, side in zip(SPLITS, SIDES, strict=True):
        of_split = [photo for photo in photos if photo.split == split]
        for number, first in enumerate(range(0, len(of_split), PHOTOS_A_SHARD)):
            stretch = of_split[first : first + PHOTOS_A_SHARD]
            originals = tuple(Original(p.name, p.original) for p in stretch if p.original)
            if originals:
                file = folder / f"{source}-{split}-{number:03}.tar"
                yield Shard(file, originals, settings.side or side, settings.quality)


def main(command: Callable[..., None]) -> None:
    """Run a command; what a user can mend ends in one sentence and exit code 1."""
    app = typer.Typer(
        rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip
    app.command()(command)
    try:
        app()
    except CaptionerError as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        sys.exit(1)
