"""How photos are changed before the encoder sees them: all of a batch at once, on its device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from captioner.training.batches import ALL, Moved, Share

AREA = (0.6, 1.0)  # of a window, as a share of the photo's
STRETCH = (0.75, 4 / 3)  # a window's width to its height: undoes or adds a squeeze
COLOUR = 0.3  # brightness, contrast and saturation change by up to so much
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Looks(Moved):
    """What B photos are to look like."""

    centre: Tensor  # (B, 2) x and y of the window, −1…1 from edge to edge
    size: Tensor  # (B, 2) its width and height as shares of the photo's; a mirrored width is < 0
    colour: Tensor  # (B, 3) factors of brightness, contrast and saturation


def draw_looks(
    mirrored: npt.NDArray[np.bool_], rng: np.random.Generator, share: Share = ALL
) -> Looks:
    """A window and colours at random for each of the photos, `mirrored` (B,) or not.

    They are drawn for a whole batch before a process takes its share of them.
    """
    count = len(mirrored)
    area = rng.uniform(*AREA, count)
    stretch = np.exp(rng.uniform(np.log(STRETCH[0]), np.log(STRETCH[1]), count))
    size = np.sqrt(np.stack([area * stretch, area / stretch], 1)).clip(max=1.0)
    centre = rng.uniform(-1, 1, (count, 2)) * (1 - size)
    size[mirrored, 0] *= -1
    colour = rng.uniform(1 - COLOUR, 1 + COLOUR, (count, 3))
    parts = (share.of(part.astype(np.float32)) for part in (centre, size, colour))
    return Looks(*(torch.from_numpy(np.ascontiguousarray(part)) for part in parts))


def augment(photos: Tensor, looks: Looks) -> Tensor:
    """Photos (B, 3, H, W) of 0…255 → the same shape, floating point, each under its look."""
    centre, size, colour = looks.centre, looks.size, looks.colour
    *_, height, width = photos.shape
    x = centre[:, :1] + size[:, :1] * _middles(width, photos.device)
    y = centre[:, 1:] + size[:, 1:] * _middles(height, photos.device)
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), 3)  # (B, H, W, 2)
    seen = F.grid_sample(photos.float(), grid, padding_mode="border", align_corners=False)
    return _coloured(seen, colour[:, :, None, None, None])


def _middles(count: int, device: torch.device) -> Tensor:
    """Where the middles of `count` pixels lie, between the edges −1 and 1.

    Not by affine_grid: autocast would have it multiply in 16 bits, and miss by half a pixel.
    """
    return (2 * torch.arange(count, device=device) + 1) / count - 1


def _coloured(photos: Tensor, factors: Tensor) -> Tensor:
    """Brightness, then contrast about the photo's mean grey, then saturation; (B, 3, 1, 1, 1)."""
    brightness, contrast, saturation = factors.unbind(1)
    grey_of = photos.new_tensor(GREY)[:, None, None]
    photos = (photos * brightness).clamp(0, 255)
    mean = (photos * grey_of).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    photos = (mean + (photos - mean) * contrast).clamp(0, 255)
    grey = (photos * grey_of).sum(1, keepdim=True)
    return (grey + (photos - grey) * saturation).clamp(0, 255)
