"""A depthwise convolution whose kernels do not learn, quick to go back through on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class FrozenDepthwise(torch.autograd.Function):
    """Depthwise convolution whose kernel does not learn.

    Its input's gradient is a depthwise convolution too, with the kernels turned round. Computed as
    such it takes a fraction of oneDNN's own backward pass (`benchmarks/frozen_depthwise.py`).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape, ctx.stride, ctx.padding = x.shape, stride, padding
        return F.conv2d(x, weight, bias, stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (weight,) = gradients, ctx.saved_tensors
        bias = gradient.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        inside = weight.shape[-1] - 1 - ctx.padding
        if ctx.stride > 1:
            gradient, inside = spread(gradient, ctx.shape, ctx.stride, inside, ctx.padding), 0
        turned = weight.flip(2, 3).to(gradient.dtype)
        own = F.conv2d(gradient, turned, None, 1, inside, 1, len(weight))
        return own, None, bias, None, None


def spread(gradient: Tensor, shape: torch.Size, stride: int, before: int, after: int) -> Tensor:
    """`gradient` (B, C, h, w) with its values `stride` apart and zeros between and around them:
    (B, C, H + before + after, W + before + after) for a map of `shape` (B, C, H, W)."""
    batch, channels, height, width = shape
    around = before + after
    zeros = torch.empty(
        batch, channels, height + around, width + around,
        dtype=gradient.dtype, device=gradient.device, memory_format=torch.channels_last,
    ).zero_()  # fmt: skip
    rows, columns = gradient.shape[-2:]
    places = zeros[:, :, before::stride, before::stride]
    places[:, :, :rows, :columns] = gradient
    return zeros
