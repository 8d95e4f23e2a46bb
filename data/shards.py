"""Photos made small and packed into tar files, by several processes, each file whole or not at all.

A shard holds a fixed stretch of a split's official order. What is done is known by looking into the
shards that are there, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import io
import signal
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from captioner.errors import CaptionerError, ImageError
from captioner.files import whole_path
from captioner.images import open_image

PHOTOS_A_SHARD = 200
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Original:
    """A photo as it was downloaded, and the name it gets in the shard."""

    name: str
    file: Path


@dataclass(frozen=True)
class Shard:
    """One tar file to be: `side` is the longest that a photo's shorter side may be, in pixels."""

    file: Path
    originals: tuple[Original, ...]
    side: int
    quality: int

    @property
    def notes(self) -> dict[str, str]:
        """What the tar file says of itself, to know later whether it is the one that is wanted."""
        return {"captioner.side": str(self.side), "captioner.quality": str(self.quality)}


@dataclass(frozen=True)
class Packed:
    """The sizes of the photos that a shard holds, and why others could not be read."""

    sizes: dict[str, Size]
    damaged: tuple[str, ...] = ()


def pack_all(shards: Sequence[Shard], workers: int) -> Packed:
    """Pack every shard that is not there yet; all of them together are returned."""
    sizes: dict[str, Size] = {}
    damaged: list[str] = []
    photos = sum(len(shard.originals) for shard in shards)
    with tqdm(total=photos, unit="photo", desc="photos", dynamic_ncols=True) as bar:
        for shard, packed in _packed(shards, min(workers, len(shards))):
            sizes |= packed.sizes
            damaged += packed.damaged
            bar.update(len(shard.originals))
    return Packed(sizes, tuple(sorted(damaged)))


def _packed(shards: Sequence[Shard], workers: int) -> Iterator[tuple[Shard, Packed]]:
    if workers <= 1:
        yield from ((shard, pack(shard)) for shard in shards)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _finish_when_interrupted)
    try:
        jobs = {pool.submit(pack, shard): shard for shard in shards}
        yield from ((jobs[job], job.result()) for job in as_completed(jobs))
    except BrokenProcessPool:
        raise CaptionerError(
            "a process was killed, for want of memory perhaps; run this again with fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _finish_when_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the shard in hand is finished first


def pack(shard: Shard) -> Packed:
    """Write a shard unless it is there already. Raises CaptionerError where it cannot be."""
    done = _looked_into(shard)
    if done is not None:
        return done
    with whole_path(shard.file) as draft:
        return _write(shard, draft)


def _write(shard: Shard, file: Path) -> Packed:
    sizes: dict[str, Size] = {}
    damaged = []
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT, pax_headers=shard.notes) as tar:
        for original in shard.originals:
            try:
                photo = shrunk(original.file, shard.side)
            except ImageError as error:
                damaged.append(str(error))
                continue
            encoded = io.BytesIO()
            photo.save(encoded, "WEBP", quality=shard.quality)
            entry = tarfile.TarInfo(original.name)
            entry.size = encoded.tell()
            encoded.seek(0)
            tar.addfile(entry, encoded)
            sizes[original.name] = photo.size
    return Packed(sizes, tuple(damaged))


def shrunk(file: Path, side: int) -> Image.Image:
    """The photo upright, its shorter side `side` pixels at most. Raises ImageError."""
    photo = open_image(file, target=side)
    return photo.resize(small_size(photo.size, side), Image.Resampling.LANCZOS)


def small_size(size: Size, side: int) -> Size:
    """(width, height) with the same proportions and a shorter side of at most `side` pixels."""
    scale = min(1.0, side / min(size))
    return round(size[0] * scale), round(size[1] * scale)


def _looked_into(shard: Shard) -> Packed | None:
    """What the shard's file holds, or None where it is not the one that is wanted."""
    try:
        with tarfile.open(shard.file, "r:") as tar:
            sizes = {}
            for entry in tar:
                content = tar.extractfile(entry)
                assert content is not None  # `_write` packs nothing but files
                with Image.open(content, formats=["WEBP"]) as photo:
                    sizes[entry.name] = photo.size
            wanted = [original.name for original in shard.originals]
            same = list(sizes) == wanted and tar.pax_headers.items() >= shard.notes.items()
    except (OSError, tarfile.TarError, AssertionError):
        return None
    return Packed(sizes) if same else None


def sweep(folder: Path, source: str, keep: Iterable[Shard]) -> None:
    """Delete the shards of `source` that no longer belong."""
    kept = {shard.file.name for shard in keep}
    for file in folder.glob(f"{source}-*.tar"):
        if file.name not in kept:
            file.unlink()
