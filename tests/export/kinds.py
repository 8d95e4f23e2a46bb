"""Models of every kind of decoder, small and random, with an encoder that exports quickly."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from captioner.checkpoint import pack, unpack
from captioner.model.config import AttributeConfig, DecoderConfig, EncoderConfig, ModelConfig
from captioner.model.lite3 import HEAD_CHANNELS
from captioner.model.model import Model
from captioner.vocabulary import Vocabulary
from tests.tiny import PIXELS, STYLES, WORDS

KINDS: dict[str, dict[str, Any]] = {
    "attention": {"reading": "gru"},
    "heads": {
        "attention": "dot",
        "heads": 4,
        "cell": "gru",
        "layers": 2,
        "residual": True,
        "taught": 1,
        "units": 8,
    },
    "general": {"shown": 0, "attention": "general", "hard": True, "reading": "lstm", "layers": 3},
    "context": {"shown": 0, "kind": "context", "cell": "gru", "reading": "gru", "summary": "last"},
    "feedback": {"shown": 0, "kind": "feedback"},
    "peek": {"shown": 0, "kind": "peek", "layers": 4, "residual": True},
}


class Patches(nn.Module):
    """Photos (B, 3, H, W) → a grid (B, 1280, H/32, W/32), each region from its own pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 20, 8, 8), nn.ReLU(), nn.Conv2d(20, HEAD_CHANNELS, 4, 4)
        )

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return self.layers(photos)


def model_of_kind(shown: int = 3, seed: int = 1, **decoder: Any) -> Model:
    """A model whose sentences differ from photo to photo."""
    torch.manual_seed(seed)
    config = ModelConfig(
        encoder=EncoderConfig(pixels=PIXELS),
        attributes=AttributeConfig(words=5, shown=shown, hidden=8),
        decoder=DecoderConfig(size=16, hidden=24, **decoder),
    )
    model = Model(config, Vocabulary(WORDS, STYLES), WORDS[2:7])
    model.encoder.backbone = Patches()
    model.rarity = torch.rand(len(model.vocabulary)) * 3
    for name, weight in model.decoder.named_parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, std=0.2 if "embedding" not in name else 0.7)
    with torch.no_grad():
        model.decoder.bias[list(model.vocabulary.never_written)] = 4.0
    model.load_state_dict(unpack(pack(model.state_dict())))  # as a checkpoint holds it
    return model.eval()
