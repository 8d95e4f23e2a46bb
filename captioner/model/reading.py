"""Annotations: the regions, read in order in both directions by a recurrent net."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class Reading(nn.Module):
    """The encoder of Bahdanau et al. 2015 (https://arxiv.org/abs/1409.0473), §3.2, over regions.

    The sequence may be a grid in raster order or the embedded words of a sentence.
    """

    def __init__(self, cell: Literal["gru", "lstm"], size: int) -> None:
        """`size` E must be even: each direction has a state of half of it."""
        super().__init__()
        net = nn.GRU if cell == "gru" else nn.LSTM
        self.net = net(size, size // 2, batch_first=True, bidirectional=True)

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Regions (B, L, E) → annotations (B, L, E), both directions side by side, and the last
        state of each direction (B, E): the forward one's after region L, the other's after 1."""
        annotations, _ = self.net(regions)
        forward, backward = annotations.chunk(2, -1)
        return annotations, torch.cat([forward[:, -1], backward[:, 0]], -1)
