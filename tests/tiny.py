"""A whole model small enough for a test: random weights, a handful of words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from captioner import Caption
from captioner.model.config import AttributeConfig, DecoderConfig, EncoderConfig, ModelConfig
from captioner.model.model import Model
from captioner.vocabulary import Vocabulary

SENTENCE = "a the dog cat , on grass red runs sits with two and n't do 's ball of 3"
WORDS = tuple(SENTENCE.split())
STYLES = ("coco", "flickr8k")
PIXELS = 64


def keep_signal(net: nn.Module) -> None:
    """Random convolutions under which photos still differ at the end."""
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if "project" in name:
                layer.weight.data *= 0.5
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def tiny_model(seed: int = 0, **encoder: str) -> Model:
    """An untrained model whose sentences differ from photo to photo.

    It would love to write what no caption may hold: padding, `<unk>` and start words.
    """
    torch.manual_seed(seed)
    config = ModelConfig(
        encoder=EncoderConfig(pixels=PIXELS, **encoder),
        attributes=AttributeConfig(words=5, shown=3, hidden=8),
        decoder=DecoderConfig(size=16, hidden=24),
    )
    model = Model(config, Vocabulary(WORDS, STYLES), WORDS[2:7])
    keep_signal(model.encoder.backbone)
    decoder, vocabulary = model.decoder, model.vocabulary
    nn.init.normal_(decoder.embedding.weight, std=1.0)
    nn.init.normal_(decoder.output.weight, std=0.5)
    nn.init.normal_(decoder.region[2].weight, std=0.5)
    with torch.no_grad():
        decoder.bias[list(vocabulary.never_written)] = 4.0
        decoder.bias[vocabulary.end] = 1.0
    return model.eval()


def same(one: Caption, other: Caption) -> bool:
    """The same words, and numbers that differ by rounding only; of the alternatives too."""
    return (
        one.words == other.words
        and one.text == other.text
        and one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        and one.score == pytest.approx(other.score, abs=1e-3)
        and one.probabilities == pytest.approx(other.probabilities, abs=1e-3)
        and np.allclose(one.attention, other.attention, atol=1e-3)
        and len(one.alternatives) == len(other.alternatives)
        and all(map(same, one.alternatives, other.alternatives))
    )
