"""The encoder: photos in, a grid of regions out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from captioner.errors import CaptionerError
from captioner.model.config import EncoderConfig
from captioner.model.lite3 import HEAD_CHANNELS, Lite3
from captioner.torchvision_import import torchvision

LITE3 = "efficientnet_lite3"


class Encoder(nn.Module):
    """(B, 3, H, W) RGB of 0…255 → grid (B, L, C), the L regions in raster order.

    `lower` and `upper` split the way at the deepest map that training keeps: their composition
    is the encoder.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: EncoderConfig, weights: str | None = None) -> None:
        """`weights` "DEFAULT" downloads torchvision's own.

        Raises CaptionerError for a model torchvision lacks or that has no grid.
        """
        super().__init__()
        self.config = config
        self.shared = False  # with the embedded captioner
        lite3 = config.name == LITE3
        self.backbone = Lite3() if lite3 else _torchvision_backbone(config, weights)
        mean, std = ([127.0] * 3, [128.0] * 3)
        if not lite3:
            mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        self.channels = HEAD_CHANNELS if lite3 else self._grid_channels()

    def forward(self, photos: Tensor) -> Tensor:
        return self.upper(self.lower(photos))

    def lower(self, photos: Tensor) -> Tensor:
        """(B, 3, H, W) of 0…255 → the map that `upper` reads (B, C', h, w)."""
        scaled = (photos.float() - self.mean) / self.std
        scaled = scaled.to(self.dtype, memory_format=torch.channels_last)
        if isinstance(self.backbone, Lite3):
            return self.backbone.lower(scaled)
        return cast(Tensor, self.backbone(scaled))

    def upper(self, lower: Tensor) -> Tensor:
        """The map of `lower` (B, C', h, w) → grid (B, L, C)."""
        if isinstance(self.backbone, Lite3):
            lower = self.backbone.upper(lower)
        return lower.flatten(2).transpose(1, 2)

    @property
    def has_upper(self) -> bool:
        """Whether `upper` computes anything, rather than just flattening the map."""
        return isinstance(self.backbone, Lite3)

    @property
    def dtype(self) -> torch.dtype:
        """The type that the backbone computes in."""
        return next(self.backbone.parameters()).dtype

    def is_lower(self, name: str) -> bool:
        """Whether a weight of the backbone belongs to `lower`."""
        if not isinstance(self.backbone, Lite3) or name.startswith("stem"):
            return True
        return name.startswith("blocks.") and int(name.split(".")[1]) < self.backbone.split

    @property
    def learns_below(self) -> bool:
        """Whether a weight of `lower` learns."""
        named = self.backbone.named_parameters()
        return any(weight.requires_grad for name, weight in named if self.is_lower(name))

    def _grid_channels(self) -> int:
        with torch.inference_mode():
            grid = self.eval()(torch.zeros(1, 3, self.config.pixels, self.config.pixels))
        self.train()
        return int(grid.shape[2])

    def load_pretrained(self, file: Path) -> None:
        """Start from weights trained on ImageNet. Raises CaptionerError where they do not fit."""
        try:
            weights = {name: w.float() for name, w in load_file(file).items()}
        except (OSError, SafetensorError) as error:
            raise CaptionerError(f"{file}: cannot be read as safetensors ({error})") from None
        backbone = self.backbone
        if not isinstance(backbone, Lite3):
            backbone = cast(nn.Module, getattr(backbone, "features", backbone))
        try:
            backbone.load_state_dict(weights)
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip()
            raise CaptionerError(f"{file}: does not fit {self.config.name}: {first}") from None


def _torchvision_backbone(config: EncoderConfig, weights: str | None) -> nn.Module:
    tv: Any = torchvision()
    names = tv.models.list_models(module=tv.models)
    if config.name not in names:
        raise CaptionerError(
            f"encoder.name: {config.name!r} is neither {LITE3} nor one of torchvision's: "
            + ", ".join(names)
        )
    try:
        model = tv.models.get_model(config.name, weights=weights)
    except OSError as error:  # urllib's errors are such
        raise CaptionerError(f"{config.name}: its weights cannot be downloaded ({error})") from None
    layer = _last_grid_layer(model, config)
    feature_extraction = __import__("torchvision.models.feature_extraction", fromlist=["x"])
    body = feature_extraction.create_feature_extractor(model, {layer: "grid"})
    return _Grid(body)


class _Grid(nn.Module):
    """A torchvision feature extractor that returns its one map instead of a dictionary."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    @property
    def features(self) -> nn.Module:
        return cast(nn.Module, getattr(self.body, "features", self.body))

    def forward(self, photos: Tensor) -> Tensor:
        return cast(Tensor, self.body(photos)["grid"])


def _last_grid_layer(model: nn.Module, config: EncoderConfig) -> str:
    """The name of the last layer whose output is a map of more than one region.

    Only the model's own layers count, and those of its lists; a final pooling does not.
    """
    found: list[str] = []

    def note(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.dim() == 4 and min(output.shape[2:]) > 1:
                found.append(name)

        return hook

    hooks = [layer.register_forward_hook(note(name)) for name, layer in _layers(model)]
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, config.pixels, config.pixels))
    except (AssertionError, RuntimeError) as error:
        raise CaptionerError(
            f"encoder.name: {config.name} takes no photo of {config.pixels} pixels ({error})"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
    if not found or found[-1] == "conv_proj":
        raise CaptionerError(f"encoder.name: {config.name} makes no grid of regions")
    return found[-1]


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, child in model.named_children():
        if isinstance(child, nn.ModuleList):
            yield from ((f"{name}.{i}", layer) for i, layer in enumerate(child))
        elif not isinstance(child, nn.AdaptiveAvgPool2d):
            yield name, child
