"""The grids of a batch: from maps computed once, or from pixels that are augmented anew."""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from captioner.model.encoder import Encoder
from captioner.training.augment import Looks, augment, draw_looks
from captioner.training.batches import ALL, Indices, Moved, Share
from captioner.training.cache import MapCache
from captioner.training.data import Example, PhotoFiles

NINTHS = (7, 8, 9)  # of the photo's side: a batch's windows, whole regions of a grid of 9×9
READERS = 16


class Photos(Protocol):
    """What training sees of photos: `draw` all that is random, `read` it, and `encode` it."""

    def draw(self, photos: Indices, rng: np.random.Generator, share: Share = ALL) -> Moved:
        """How a share of `photos` is to be seen; the same generator draws the same for all."""

    def read(self, photos: Tensor, look: Moved | None) -> Tensor:
        """What `lower` takes of `photos` (B,), seen so; without a look the plain ones."""

    def lower(self, read: Tensor, encoder: Encoder) -> Tensor:
        """What the part of the encoder that does not learn makes of it."""

    def upper(self, maps: Tensor, encoder: Encoder) -> Tensor:
        """Grid (B, L, C), by the part of the encoder that learns."""


def encode(source: Photos, read: Tensor, encoder: Encoder, maps: Tensor | None = None) -> Tensor:
    """Grid (B, L, C) of what `source` has read; `maps` are what `lower` makes of it, if known."""
    return source.upper(source.lower(read, encoder) if maps is None else maps, encoder)


def plain_grid(source: Photos, photos: Indices, encoder: Encoder) -> Tensor:
    """Grid (B, L, C) of `photos` as they are."""
    chosen = torch.from_numpy(photos).to(encoder.mean.device)
    return encode(source, source.read(chosen, None), encoder)


@dataclass(frozen=True)
class Window(Moved):
    """One window for a whole batch of maps, some of them mirrored."""

    mirrored: Tensor  # (B,) bool
    crop: tuple[int, int, int]  # top, left and side, in regions


class CachedPhotos:
    """Maps below the part that learns, computed once. Augmentation: mirroring, and windows.

    Without a part that learns (`grids`) the whole grid is.
    """

    def __init__(
        self,
        encoder: Encoder,
        files: PhotoFiles,
        examples: Sequence[Example],
        folder: Path,
        grids: bool = False,
    ) -> None:
        self.device, self.grids = encoder.mean.device, grids and encoder.has_upper
        names = [example.file_name for example in examples]
        self.cache = MapCache(encoder, files, names, folder, self.grids)
        self.flips = np.array([example.flips for example in examples])

    def draw(self, photos: Indices, rng: np.random.Generator, share: Share = ALL) -> Window:
        mirrored = (rng.random(len(photos)) < 0.5) & self.flips[photos]
        whole = self.cache.side
        side = max(1, round(whole * int(rng.choice(NINTHS)) / 9))
        top, left = rng.integers(0, whole - side + 1, 2).tolist()
        return Window(torch.from_numpy(share.of(mirrored).copy()), (top, left, side))

    def read(self, photos: Tensor, look: Moved | None) -> Tensor:
        """Maps (B, C', h, w)."""
        mirrored, crop = np.zeros(len(photos), bool), (0, 0, 0)
        if look is not None:
            assert isinstance(look, Window)
            mirrored, crop = look.mirrored.cpu().numpy(), look.crop
        return self.cache.read(photos.cpu().numpy(), mirrored, crop).to(self.device).float()

    def lower(self, read: Tensor, encoder: Encoder) -> Tensor:
        return read

    def upper(self, maps: Tensor, encoder: Encoder) -> Tensor:
        if self.grids:
            return maps.flatten(2).transpose(1, 2)
        return encoder.upper(maps.contiguous(memory_format=torch.channels_last))


class PixelPhotos:
    """Photos augmented on the device: window, mirroring, colour.

    They are read anew for every batch; with `hold` all of them once, into one tensor there.
    """

    def __init__(
        self, encoder: Encoder, files: PhotoFiles, examples: Sequence[Example], hold: bool = False,
        learns: bool = True,
    ) -> None:  # fmt: skip
        """With `hold` a photo takes S·S·3 bytes. `learns` is False where no part of the encoder
        does."""
        self.files, self.learns = files, learns
        self.names = tuple(example.file_name for example in examples)
        self.side, self.device = encoder.config.pixels, encoder.mean.device
        self.flips = np.array([example.flips for example in examples])
        self.held = held_photos(files, self.names, self.side, self.device) if hold else None
        self.readers = ThreadPoolExecutor(READERS)

    def draw(self, photos: Indices, rng: np.random.Generator, share: Share = ALL) -> Looks:
        mirrored = (rng.random(len(photos)) < 0.5) & self.flips[photos]
        return draw_looks(mirrored, rng, share)

    def read(self, photos: Tensor, look: Moved | None) -> Tensor:
        """Photos (B, 3, S, S) of 0…255."""
        pixels = self._pixels(photos).permute(0, 3, 1, 2)
        if look is None:
            return pixels.float()
        assert isinstance(look, Looks)
        return augment(pixels, look)

    def lower(self, read: Tensor, encoder: Encoder) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and encoder.learns_below):
            return encoder.lower(read)

    def upper(self, maps: Tensor, encoder: Encoder) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.learns):
            return encoder.upper(maps)

    def _pixels(self, photos: Tensor) -> Tensor:
        """The photos squeezed to a square, (B, S, S, 3) of 0…255."""
        if self.held is not None:
            return self.held[photos]
        chosen = [self.names[i] for i in photos.tolist()]
        read = self.readers.map(lambda name: self.files.read(name, self.side), chosen)
        return torch.from_numpy(np.stack(list(read))).to(self.device)


@cache
def held_photos(
    files: PhotoFiles, names: tuple[str, ...], side: int, device: torch.device
) -> Tensor:
    """All photos as one tensor (N, S, S, 3) on the device, read by all cores.

    Several stages of one run share it. Raises ImageError for a photo that cannot be read.
    """
    shape = (len(names), side, side, 3)
    memory = mmap.mmap(-1, math.prod(shape))  # what the processes write to it, all of them see
    rows = np.frombuffer(memory, np.uint8).reshape(shape)
    shared = files, names, rows
    with ProcessPoolExecutor(None, get_context("fork"), _share, shared) as readers:
        done = readers.map(_fill, range(len(names)), chunksize=16)
        for _ in tqdm(done, total=len(names), desc="photos", unit="photo", dynamic_ncols=True):
            pass
    return torch.from_numpy(rows).to(device)


_shared: list[tuple[PhotoFiles, tuple[str, ...], npt.NDArray[np.uint8]]] = []  # of a reader


def _share(files: PhotoFiles, names: tuple[str, ...], rows: npt.NDArray[np.uint8]) -> None:
    _shared[:] = [(files, names, rows)]


def _fill(place: int) -> None:
    [(files, names, rows)] = _shared
    rows[place] = files.read(names[place], rows.shape[1])
