"""The grids of a batch: from maps computed once, or from pixels that are augmented anew."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from captioner.model.encoder import Encoder
from captioner.training.augment import augment, draw_looks
from captioner.training.batches import ALL, Indices, Share
from captioner.training.cache import MapCache
from captioner.training.data import Example, PhotoFiles

NINTHS = (7, 8, 9)  # of the photo's side: a batch's windows, whole regions of a grid of 9×9
READERS = 8


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
        self.encoder, self.grids = encoder, grids and encoder.has_upper
        names = [example.file_name for example in examples]
        self.cache = MapCache(encoder, files, names, folder, self.grids)
        self.flips = np.array([example.flips for example in examples])

    def grid(self, photos: Indices, rng: np.random.Generator | None, share: Share = ALL) -> Tensor:
        """Grid (B, L, C) of this share of `photos`; without a generator the plain ones."""
        return self.encode(self.read(photos, rng, share))

    def read(self, photos: Indices, rng: np.random.Generator | None, share: Share = ALL) -> Tensor:
        """What `encode` makes a grid of, for this share of `photos`: maps (B, C', h, w)."""
        mirrored, crop = np.zeros(len(photos), bool), (0, 0, 0)
        if rng is not None:
            mirrored = (rng.random(len(photos)) < 0.5) & self.flips[photos]
            whole = self.cache.side
            side = max(1, round(whole * int(rng.choice(NINTHS)) / 9))
            top, left = rng.integers(0, whole - side + 1, 2).tolist()
            crop = (top, left, side)
        maps = self.cache.read(share.of(photos), share.of(mirrored), crop)
        return maps.to(self.encoder.mean.device).float()

    def encode(self, maps: Tensor) -> Tensor:
        """Grid (B, L, C) of what `read` returned."""
        if self.grids:
            return maps.flatten(2).transpose(1, 2)
        return self.encoder.upper(maps.contiguous(memory_format=torch.channels_last))


class PixelPhotos:
    """Photos read anew for every batch, or held in memory, and augmented on the device: window,
    mirroring, colour."""

    def __init__(
        self, encoder: Encoder, files: PhotoFiles, examples: Sequence[Example], hold: bool = False
    ) -> None:
        """With `hold` a photo that was read once stays in memory, S·S·3 bytes."""
        self.encoder, self.files, self.examples, self.hold = encoder, files, examples, hold
        self.flips = np.array([example.flips for example in examples])
        self.held: dict[int, npt.NDArray[np.uint8]] = {}
        self.readers = ThreadPoolExecutor(READERS)

    def grid(self, photos: Indices, rng: np.random.Generator | None, share: Share = ALL) -> Tensor:
        """Grid (B, L, C) of this share of `photos`; without a generator the plain ones."""
        return self.encode(self.read(photos, rng, share))

    def read(self, photos: Indices, rng: np.random.Generator | None, share: Share = ALL) -> Tensor:
        """What `encode` makes a grid of, for this share of `photos`: photos (B, 3, S, S)."""
        pixels = np.stack(list(self.readers.map(self._pixels, share.of(photos).tolist())))
        batch = torch.from_numpy(pixels).to(self.encoder.mean.device).permute(0, 3, 1, 2)
        if rng is None:
            return batch.float()
        mirrored = (rng.random(len(photos)) < 0.5) & self.flips[photos]
        return augment(batch, draw_looks(mirrored, rng).of(share))

    def encode(self, pixels: Tensor) -> Tensor:
        """Grid (B, L, C) of what `read` returned."""
        grid: Tensor = self.encoder(pixels)
        return grid

    def _pixels(self, photo: int) -> npt.NDArray[np.uint8]:
        """The photo squeezed to a square (S, S, 3)."""
        if photo in self.held:
            return self.held[photo]
        side = self.encoder.config.pixels
        pixels = self.files.read(self.examples[photo].file_name, side)
        if self.hold:
            self.held[photo] = pixels
        return pixels
