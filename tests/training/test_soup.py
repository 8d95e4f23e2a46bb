"""The mean of several runs' weights, made by the command."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from captioner import CaptionerError, checkpoint
from captioner.config import AttributeConfig, DecoderConfig, ModelConfig
from captioner.model.model import Model
from captioner.training.soup import soup
from captioner.vocabulary import Vocabulary


def save(file: Path, seed: int, words: tuple[str, ...] = ("dog", "cat"), hidden: int = 8) -> Model:
    torch.manual_seed(seed)
    config = ModelConfig(
        attributes=AttributeConfig(hidden=4), decoder=DecoderConfig(size=8, hidden=hidden)
    )
    model = Model(config, Vocabulary(words, ("coco",)), words[:1])
    checkpoint.save(model, file)
    return model


def test_every_weight_is_the_mean(tmp_path: Path) -> None:
    files = [tmp_path / f"{seed}.safetensors" for seed in (1, 2, 3)]
    for seed, file in enumerate(files):
        save(file, seed)
    output = tmp_path / "soup.safetensors"
    command = [sys.executable, "-m", "captioner.training.soup", *map(str, files)]
    subprocess.run([*command, "-o", str(output)], check=True, capture_output=True)
    parts = [checkpoint.load(file).state_dict() for file in files]
    mixed = checkpoint.load(output).state_dict()
    assert mixed.keys() == parts[0].keys()
    for name, weight in mixed.items():
        expected = (parts[0][name] + parts[1][name] + parts[2][name]) / 3
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-3)  # stored as fp16


def test_what_differs_is_named(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors")]
    save(files[0], 1)
    save(files[1], 2, words=("dog", "cow"))
    save(files[2], 3, hidden=16)
    with pytest.raises(CaptionerError, match=r"b\.safetensors: has other words than .*a\."):
        soup(files[:2])
    with pytest.raises(CaptionerError, match=r"c\.safetensors: has another decoder\.hidden than"):
        soup(files[::2])
