"""Cross-fitting: encoders that have not seen some of the photos, for whoever reads their grids.

An encoder knows the photos that it was trained on by heart. A decoder that learns from its grids
learns to trust them more than it may with photos that are new. Here photo i is in fold i mod K; of
K encoders the k-th learns from all folds but the k-th, and the decoder and the attribute head learn
from grids of the encoder that has not seen the photo (as the predictions for stacking are made:
Wolpert 1992, https://doi.org/10.1016/S0893-6080(05)80023-1). All encoders learn through the same
decoder and head, so that the grids of the one which sees every photo, and is kept, mean the same.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from captioner.errors import CaptionerError
from captioner.model.encoder import Encoder
from captioner.training.batches import Indices
from captioner.training.photos import Photos, encode


class Folds(nn.Module):
    """K encoders, the k-th of which does not learn from the photos of fold k."""

    def __init__(self, encoder: Encoder, count: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(copy.deepcopy(encoder) for _ in range(count))

    def grids(
        self, source: Photos, read: Tensor, photos: Tensor, maps: Tensor | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Of `photos` (B,) as they were `read`: the grids (B, L, C) of the encoder that does not
        know each, without a gradient, and those of the K−1 encoders that may learn from it.

        `maps` are what the encoders' lower part makes of them, where they have it in common.
        """
        every = torch.stack([encode(source, read, encoder, maps) for encoder in self])
        rows = torch.arange(len(photos), device=photos.device)
        own, count = photos % len(self.encoders), len(self.encoders)
        return every[own, rows].detach(), [every[(own + i) % count, rows] for i in range(1, count)]

    def alike_below(self, encoder: Encoder) -> bool:
        """Whether `Encoder.lower` is the same for all of them as it is in `encoder`."""
        own = encoder.backbone.state_dict()
        return all(
            torch.equal(weight, own[name])
            for one in self
            for name, weight in one.backbone.state_dict().items()
            if one.is_lower(name)
        )

    def __iter__(self) -> Iterator[Encoder]:
        for encoder in self.encoders:
            assert isinstance(encoder, Encoder)
            yield encoder


def partners(photos: Indices, folds: int) -> Indices:
    """For each of `photos` another of the same fold, to lay it under: mixed across folds, an
    encoder would see what it must not. A fold's only photo is its own partner."""
    others = photos.copy()
    for fold in range(folds):
        members = np.flatnonzero(photos % folds == fold)
        others[members] = photos[np.roll(members, 1)]
    return others


@contextmanager
def held_still(*modules: nn.Module) -> Iterator[None]:
    """What is computed within gives these modules no gradient, only what goes through them."""
    weights = [w for module in modules for w in module.parameters() if w.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def fold_file(output: Path, fold: int) -> Path:
    """Where a run keeps the encoder that has not seen a fold, as a checkpoint with the decoder."""
    return output / f"fold-{fold}.safetensors"


def start_folds(encoder: Encoder, count: int, start: Path | None) -> Folds:
    """Encoders like `encoder`, or those that the run of the checkpoint `start` has left.

    Raises CaptionerError where that run had another number of folds.
    """
    from captioner import checkpoint

    folds = Folds(encoder, count)
    if start is None or not fold_file(start.parent, 0).exists():
        return folds
    if not fold_file(start.parent, count - 1).exists() or fold_file(start.parent, count).exists():
        raise CaptionerError(
            f"training.folds: {start.parent} holds a run of other than {count} folds"
        )
    for fold, own in enumerate(folds.encoders):
        own.load_state_dict(checkpoint.load(fold_file(start.parent, fold)).encoder.state_dict())
    return folds
