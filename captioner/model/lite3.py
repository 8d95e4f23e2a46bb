"""EfficientNet-Lite3 with BatchNorm folded into its convolutions.

Tan and Le 2019 (https://arxiv.org/abs/1905.11946); the Lite variants drop
squeeze-and-excite and use ReLU6:
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captioner.model.depthwise import FrozenDepthwise

# (repeats, kernel, stride, expansion, output channels) of each stage.
STAGES = (
    (1, 3, 1, 1, 24),
    (3, 3, 2, 6, 32),
    (3, 5, 2, 6, 48),
    (5, 3, 2, 6, 96),
    (5, 5, 1, 6, 136),
    (6, 5, 2, 6, 232),
    (1, 3, 1, 6, 384),
)
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
FIFTH_STAGE_END = 17  # blocks before the sixth stage


class SameConv2d(nn.Conv2d):
    """Convolution padded as TensorFlow's "SAME": the odd row or column goes bottom/right."""

    def forward(self, x: Tensor) -> Tensor:
        x, inside = self._padded(x)
        if self._is_frozen_depthwise(x):
            y: Tensor = FrozenDepthwise.apply(x, self.weight, self.bias, self.stride[0], inside)
            return y
        return F.conv2d(x, self.weight, self.bias, self.stride, inside, 1, self.groups)

    def _is_frozen_depthwise(self, x: Tensor) -> bool:
        learns = x.requires_grad and not self.weight.requires_grad
        return learns and self.groups == self.in_channels and x.device.type == "cpu"

    def _padded(self, x: Tensor) -> tuple[Tensor, int]:
        """The map, and the symmetric padding that is left for the convolution to add."""
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        if stride == 1 and kernel % 2:
            return x, kernel // 2
        high, wide = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
        return F.pad(x, (wide // 2, wide - wide // 2, high // 2, high - high // 2)), 0


class ConvRelu6(SameConv2d):
    """The same, then ReLU6; in one operation where oneDNN has it, twice as fast on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not self._fuses(x):
            return F.relu6(super().forward(x))
        x, inside = self._padded(x)
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, [inside] * 2, list(self.stride), [1, 1], self.groups,
            "hardtanh", [0.0, 6.0], "",
        )  # fmt: skip
        return fused

    def _fuses(self, x: Tensor) -> bool:
        plain = torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
        return plain and x.device.type == "cpu" and _has_onednn()


@cache
def _has_onednn() -> bool:
    built = torch.backends.mkldnn.is_available()
    return built and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise k×k, project 1×1; adds its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvRelu6(inputs, hidden, 1) if expansion > 1 else None
        self.dw = ConvRelu6(hidden, hidden, kernel, stride, groups=hidden)
        self.project = SameConv2d(hidden, outputs, 1)
        self.residual = stride == 1 and inputs == outputs
        self.drop_probability = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.dw(y))
        return x + self._drop(y) if self.residual else y

    def _drop(self, y: Tensor) -> Tensor:
        """Stochastic depth (Huang et al. 2016, https://arxiv.org/abs/1603.09382), by photo."""
        if not (self.training and self.drop_probability):
            return y
        kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop_probability
        return y * kept / (1 - self.drop_probability)


class Lite3(nn.Module):
    """(B, 3, H, W) scaled to −1…1 → (B, 1280, ⌈H/32⌉, ⌈W/32⌉), every value in 0…6."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvRelu6(3, STEM_CHANNELS, 3, 2)
        blocks: list[InvertedResidual] = []
        inputs = STEM_CHANNELS
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for i in range(repeats):
                step = stride if i == 0 else 1
                blocks.append(InvertedResidual(inputs, outputs, kernel, step, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.head = ConvRelu6(inputs, HEAD_CHANNELS, 1)
        self.split = FIFTH_STAGE_END  # the first block of `upper`

    def forward(self, x: Tensor) -> Tensor:
        return self.upper(self.lower(x))

    def lower(self, x: Tensor) -> Tensor:
        """The stem and the blocks before `split`, as a rule five stages:
        (B, 3, H, W) → (B, 136, ⌈H/16⌉, ⌈W/16⌉)."""
        x = self.stem(x)
        for block in self.blocks[: self.split]:
            x = block(x)
        return x

    def upper(self, x: Tensor) -> Tensor:
        """The other blocks and the head: `upper(lower(x))` is the whole net."""
        for block in self.blocks[self.split :]:
            x = block(x)
        return self.head(x)

    def tune_upper(self) -> None:
        """Let `upper` learn, its depthwise kernels apart.

        Those are a twentieth of the weights, and their gradient on a CPU takes as long as all else.
        """
        self.requires_grad_(False)
        for block in self._upper_blocks():
            block.requires_grad_(True)
            block.dw.weight.requires_grad_(False)
        self.head.requires_grad_(True)

    def drop_depth(self, probability: float) -> None:
        """Set the last block's probability to be left out; it rises to that linearly in `upper`."""
        blocks = self._upper_blocks()
        for i, block in enumerate(blocks):
            block.drop_probability = probability * i / max(1, len(blocks) - 1)

    def depth(self, name: str) -> int:
        """How many layers lie between a weight of that name and the grid: 0 in the head."""
        part, _, rest = name.partition(".")
        if part == "blocks":
            return len(self.blocks) - int(rest.split(".")[0])
        return 0 if part == "head" else len(self.blocks) + 1

    def _upper_blocks(self) -> list[InvertedResidual]:
        return [b for b in self.blocks[self.split :] if isinstance(b, InvertedResidual)]
