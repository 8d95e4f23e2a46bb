"""The part of the encoder that does not learn, run once: its maps of every photo, on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from captioner.errors import CaptionerError
from captioner.model.encoder import Encoder
from captioner.training.data import PhotoFiles

BATCH = 16


class MapCache:
    """`Encoder.lower`'s maps of photos, plain and mirrored, fp16, in a memory-mapped file."""

    def __init__(self, encoder: Encoder, files: PhotoFiles, names: Sequence[str], folder: Path):
        """Computes the maps unless `folder` holds those of these photos and these weights."""
        path = folder / f"{_fingerprint(encoder, names)}.npy"
        if not path.exists():
            _compute(encoder, files, names, path)
        self.maps: npt.NDArray[np.float16] = np.load(path, mmap_mode="r")

    def read(
        self,
        photos: npt.NDArray[np.int64],
        mirrored: npt.NDArray[np.bool_],
        crop: tuple[int, int, int],
    ) -> Tensor:
        """Maps (B, C', s, s) of `photos`, the window (top, left, s) of each; s = 0: all of it."""
        top, left, side = crop
        side = side or self.maps.shape[2]
        window = (slice(top, top + side), slice(left, left + side))
        maps = np.stack(
            [self.maps[i, int(m)][window] for i, m in zip(photos, mirrored, strict=True)]
        )
        return torch.from_numpy(maps).permute(0, 3, 1, 2)


def _fingerprint(encoder: Encoder, names: Sequence[str]) -> str:
    digest = hashlib.sha256(encoder.config.model_dump_json().encode())
    for name, weight in encoder.backbone.state_dict().items():
        if encoder.is_lower(name):
            digest.update(name.encode() + weight.detach().cpu().numpy().tobytes())
    digest.update("\n".join(names).encode())
    return digest.hexdigest()[:16]


@torch.inference_mode()
def _compute(encoder: Encoder, files: PhotoFiles, names: Sequence[str], path: Path) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    learning = encoder.training
    encoder.eval()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_maps(encoder, files, names, partial)
        os.replace(partial, path)
    except OSError as error:
        raise CaptionerError(f"data.cache: {path} cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            partial.unlink()
        encoder.train(learning)


def _write_maps(encoder: Encoder, files: PhotoFiles, names: Sequence[str], file: Path) -> None:
    device = encoder.mean.device
    maps = None
    bar = tqdm(total=len(names), desc="maps of the photos", unit="photo", dynamic_ncols=True)
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        pixels = np.stack([files.read(name, encoder.config.pixels) for name in some])
        photos = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            both = [encoder.lower(photos), encoder.lower(photos.flip(3))]
        out = torch.stack(both, 1).permute(0, 1, 3, 4, 2).cpu().half().numpy()
        if maps is None:
            shape = (len(names), *out.shape[1:])
            maps = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
        maps[start : start + len(some)] = out
        bar.update(len(some))
    bar.close()
    if maps is not None:
        maps.flush()
