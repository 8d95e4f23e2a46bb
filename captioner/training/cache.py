"""The part of the encoder that does not learn, run once: its maps of every photo, on disk."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from captioner.checkpoint import pack
from captioner.files import make_folder, whole_file
from captioner.model.encoder import Encoder
from captioner.training.data import PhotoFiles

BATCH = 16
PART = 512  # photos in a file: what a run that is killed meanwhile has to compute again


Maps = npt.NDArray[np.float16]


class MapCache:
    """`Encoder.lower`'s maps of photos, plain and mirrored, fp16, in memory-mapped files.

    With `grids` what `Encoder.upper` makes of them: the grid (B, C, h, w) before it is flattened.
    """

    def __init__(
        self,
        encoder: Encoder,
        files: PhotoFiles,
        names: Sequence[str],
        folder: Path,
        grids: bool = False,
    ) -> None:
        """Computes the maps that `folder` does not hold of these photos and these weights."""
        parts = [names[i : i + PART] for i in range(0, len(names), PART)]
        weights = _weights(encoder, grids)
        paths = [folder / f"{_fingerprint(weights, files, part)}.npy" for part in parts]
        missing = [i for i, path in enumerate(paths) if not path.exists()]
        if missing:
            lower = MapCache(encoder, files, names, folder) if grids else None
            count = sum(len(parts[i]) for i in missing)
            how: Any = {"desc": "maps of the photos", "unit": "photo", "dynamic_ncols": True}
            with tqdm(total=count, **how) as bar:
                quick = copy.deepcopy(encoder).eval()  # computes as the captioner does
                quick.backbone.bfloat16()  # where bf16 is quick
                for i in missing:
                    batches = (
                        _upper(quick, lower.parts[i]) if lower else _lower(quick, files, parts[i])
                    )
                    _store(_gathered(batches, bar), paths[i])
        self.parts: list[Maps] = [np.load(path, mmap_mode="r") for path in paths]

    @property
    def side(self) -> int:
        """How many rows and columns a map has."""
        return int(self.parts[0].shape[2])

    def read(
        self,
        photos: npt.NDArray[np.int64],
        mirrored: npt.NDArray[np.bool_],
        crop: tuple[int, int, int],
    ) -> Tensor:
        """Maps (B, C', s, s) of `photos`, the window (top, left, s) of each; s = 0: all of it."""
        top, left, side = crop
        side = side or self.side
        window = (slice(top, top + side), slice(left, left + side))
        maps = [
            self.parts[i // PART][i % PART, int(m)][window]
            for i, m in zip(photos.tolist(), mirrored, strict=True)
        ]
        return torch.from_numpy(np.stack(maps)).permute(0, 3, 1, 2)


def _weights(encoder: Encoder, grids: bool) -> bytes:
    """What stands for the weights, as a checkpoint stores them: later stages find the maps."""
    digest = hashlib.sha256(encoder.config.model_dump_json().encode())
    weights = encoder.backbone.state_dict()
    used = {name: w for name, w in weights.items() if grids or encoder.is_lower(name)}
    for name, weight in pack(used).items():
        digest.update(name.encode() + weight.numpy().tobytes())
    return digest.digest()


def _fingerprint(weights: bytes, files: PhotoFiles, names: Sequence[str]) -> str:
    digest = hashlib.sha256(weights)
    digest.update("\n".join(f"{name} {files.stamp(name)}" for name in names).encode())
    return digest.hexdigest()[:16]


@torch.inference_mode()
def _gathered(batches: Iterator[Tensor], bar: tqdm[NoReturn]) -> Maps:
    """Batches of maps (B, 2, C, h, w) as they are stored, (N, 2, h, w, C)."""
    gathered = []
    for batch in batches:
        gathered.append(batch.permute(0, 1, 3, 4, 2).cpu().half().numpy())
        bar.update(len(batch))
    return np.concatenate(gathered)


def _store(maps: Maps, path: Path) -> None:
    make_folder(path.parent)
    with whole_file(path, "wb") as file:
        form = np.lib.format  # not np.save, whose error on a full disk does not say so
        form.write_array_header_1_0(file, form.header_data_from_array_1_0(maps))
        file.write(np.ascontiguousarray(maps).data)


def _lower(quick: Encoder, files: PhotoFiles, names: Sequence[str]) -> Iterator[Tensor]:
    """Maps (B, 2, C', h, w) of the photos, plain and mirrored, a batch at a time."""
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        pixels = np.stack([files.read(name, quick.config.pixels) for name in some])
        photos = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(quick.mean.device)
        yield torch.stack([quick.lower(photos), quick.lower(photos.flip(3))], 1)


def _upper(quick: Encoder, lower: Maps) -> Iterator[Tensor]:
    """Grids (B, 2, C, h, w) from what `_lower` made, as it is stored."""
    for start in range(0, len(lower), BATCH):
        some = torch.from_numpy(np.array(lower[start : start + BATCH]))
        maps = some.to(quick.mean.device, quick.dtype)
        grid = quick.upper(maps.flatten(0, 1).permute(0, 3, 1, 2)).transpose(1, 2)  # (2B, C, L)
        side = math.isqrt(grid.shape[2])  # photos are square
        yield grid.unflatten(2, (side, side)).unflatten(0, (-1, 2))
