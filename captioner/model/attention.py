"""Soft attention: weights over regions from a query, and the weighted sum of the regions."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdditiveAttention(nn.Module):
    """Bahdanau et al. 2015 (https://arxiv.org/abs/1409.0473): score = v · tanh(key + query).

    The keys do not depend on the step: `keys` computes them once per photo.
    """

    def __init__(self, channels: int, query: int, size: int) -> None:
        super().__init__()
        self.keys = nn.Linear(channels, size)
        self.query = nn.Linear(query, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """One step for K rows a photo.

        query (B, K, Q), keys (B, L, A), values (B, L, C) → context (B, K, C), weights (B, K, L).
        """
        energy = torch.tanh(keys.unsqueeze(1) + self.query(query).unsqueeze(2))
        weights = self.score(energy).squeeze(-1).float().softmax(-1)
        return weights.to(values.dtype) @ values, weights


class DotProductAttention(nn.Module):
    """Scaled dot products of query and keys (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

    With several heads each has its own weights; those returned are their mean.
    """

    def __init__(self, channels: int, query: int, size: int, heads: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.keys = nn.Linear(channels, size)
        self.query = nn.Linear(query, size, bias=False)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """As `AdditiveAttention`: query (B, K, Q), keys (B, L, A), values (B, L, C)."""
        q, k, v = (
            x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x in (self.query(query), keys, values)
        )
        weights = (q @ k.transpose(2, 3) / k.shape[-1] ** 0.5).float().softmax(-1)
        context = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        return context, weights.mean(1)
