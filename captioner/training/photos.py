"""The grids of a batch: from maps computed once, or from pixels that are augmented anew."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from captioner.model.encoder import Encoder
from captioner.torchvision_import import torchvision
from captioner.training.batches import ALL, Indices, Share
from captioner.training.cache import MapCache
from captioner.training.data import Example, PhotoFiles

CROPPED = 0.7  # share of the batches that see a window of the photo
WINDOW = 8 / 9  # its side


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
        self.encoder, self.grids = encoder, grids
        self.cache = MapCache(encoder, files, [e.file_name for e in examples], folder, grids)
        self.flips = np.array([example.flips for example in examples])

    def grid(self, photos: Indices, rng: np.random.Generator | None, share: Share = ALL) -> Tensor:
        """Grid (B, L, C) of this share of `photos`; without a generator the plain ones."""
        mirrored, crop = np.zeros(len(photos), bool), (0, 0, 0)
        if rng is not None:
            mirrored = (rng.random(len(photos)) < 0.5) & self.flips[photos]
            whole = self.cache.maps.shape[2]
            side = round(whole * WINDOW)
            if rng.random() < CROPPED and side < whole:
                top, left = rng.integers(0, whole - side + 1, 2).tolist()
                crop = (top, left, side)
        maps = self.cache.read(share.of(photos), share.of(mirrored), crop).to(
            self.encoder.mean.device
        )
        if self.grids:
            return maps.float().flatten(2).transpose(1, 2)
        return self.encoder.upper(maps.float().contiguous(memory_format=torch.channels_last))


class PixelPhotos:
    """Photos read and augmented for every batch: crop, mirroring, colour."""

    def __init__(self, encoder: Encoder, files: PhotoFiles, examples: Sequence[Example]) -> None:
        torchvision()
        from torchvision.transforms import v2

        self.encoder, self.files, self.examples = encoder, files, examples
        self.flips = np.array([example.flips for example in examples])
        side = encoder.config.pixels
        self.augment = v2.Compose(
            [
                v2.RandomResizedCrop(side, scale=(0.7, 1.0), ratio=(0.8, 1.25), antialias=True),
                v2.ColorJitter(0.3, 0.3, 0.3, 0.05),
            ]
        )
        self.readers = ThreadPoolExecutor(8)

    def grid(self, photos: Indices, rng: np.random.Generator | None, share: Share = ALL) -> Tensor:
        """Grid (B, L, C) of this share of `photos`; without a generator the plain ones."""
        encoder, own = self.encoder, share.of(photos)
        names = [self.examples[i].file_name for i in own.tolist()]
        pixels = self.readers.map(lambda name: self.files.read(name, encoder.config.pixels), names)
        batch = torch.from_numpy(np.stack(list(pixels))).permute(0, 3, 1, 2)
        if rng is not None:
            mirrored = (rng.random(len(photos)) < 0.5) & self.flips[photos]
            seeds = rng.integers(2**63, size=len(photos))
            for i, (mirror, seed) in enumerate(
                zip(share.of(mirrored).tolist(), share.of(seeds).tolist(), strict=True)
            ):
                batch[i] = self._augmented(batch[i].flip(2) if mirror else batch[i], seed)
        grid: Tensor = encoder(batch.to(encoder.mean.device))
        return grid

    def _augmented(self, photo: Tensor, seed: int) -> Tensor:
        """The photo (3, H, W) under a window and colours that `seed` alone decides."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            changed: Tensor = self.augment(photo)
            return changed
