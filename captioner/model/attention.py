"""Attention: weights over regions from a query, and the context they make of the regions.

Each scores a region by its key, which does not depend on the step: `keys` makes them once a photo.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from captioner.model.config import DecoderConfig

EXPECTED = 0.5  # share of training steps in which hard attention takes the expected context


class AdditiveAttention(nn.Module):
    """Bahdanau et al. 2015 (https://arxiv.org/abs/1409.0473): score = v · tanh(key + query)."""

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


class GeneralAttention(nn.Module):
    """Luong et al. 2015 (https://arxiv.org/abs/1508.04025): score = query · W · region."""

    def __init__(self, channels: int, query: int) -> None:
        super().__init__()
        self.keys = nn.Identity()
        self.query = nn.Linear(query, channels, bias=False)

    def forward(self, query: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """As `AdditiveAttention`, the keys (B, L, C) being the regions themselves."""
        weights = (self.query(query) @ keys.transpose(1, 2)).float().softmax(-1)
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


Attention = AdditiveAttention | GeneralAttention | DotProductAttention


def make_attention(config: DecoderConfig, query: int) -> Attention:
    """The attention that `config` names, over regions of its size, for queries (…, `query`)."""
    size = config.size
    if config.attention == "additive":
        return AdditiveAttention(size, query, size)
    if config.attention == "general":
        return GeneralAttention(size, query)
    return DotProductAttention(size, query, size, config.heads)


def look_at_one(
    weights: Tensor, expected: Tensor, values: Tensor, training: bool
) -> tuple[Tensor, Tensor]:
    """Hard attention (Xu et al. 2015, §4.1): the context is one region.

    weights (B, K, L), the `expected` context (B, K, C), values (B, L, C) → context (B, K, C), the
    region looked at (B, K). In training it is drawn from the weights, and half of the time the
    expected context is taken instead, region −1, which calms the gradient; otherwise it is the
    likeliest.
    """
    if training:
        region = torch.multinomial(weights.flatten(0, 1), 1).view(weights.shape[:2])
    else:
        region = weights.argmax(-1)
    context = values.gather(1, region.unsqueeze(-1).expand(-1, -1, values.shape[-1]))
    if training:
        soft = torch.rand_like(weights[..., 0]) < EXPECTED
        context = torch.where(soft.unsqueeze(-1), expected, context)
        region = region.masked_fill(soft, -1)
    return context, region
