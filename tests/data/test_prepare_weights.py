"""timm's network, written out here with its BatchNorms and names, and ours after folding."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from captioner.errors import CaptionerError
from captioner.model.config import EncoderConfig
from captioner.model.encoder import Encoder
from data.prepare_weights import prepare_weights

# (repeats, kernel, stride, channels) of EfficientNet-Lite3; all but the first expand by 6
STAGES = [
    (1, 3, 1, 24),
    (3, 3, 2, 32),
    (3, 5, 2, 48),
    (5, 3, 2, 96),
    (5, 5, 1, 136),
    (6, 5, 2, 232),
]
STAGES += [(1, 3, 1, 384)]


class Timm:
    """tf_efficientnet_lite3 as timm computes it, with random weights."""

    def __init__(self) -> None:
        self.weights: dict[str, Tensor] = {}

    def layer(
        self, x: Tensor, conv: str, norm: str, out: int, kernel: int = 1, stride: int = 1,
        deep: bool = False, relu: bool = True,
    ) -> Tensor:  # fmt: skip
        groups = x.shape[1] if deep else 1
        shape = (out, x.shape[1] // groups, kernel, kernel)
        fan = shape[1] * kernel * kernel
        w = self.weights.setdefault(f"{conv}.weight", torch.randn(shape) / fan**0.5)
        for part, value in (
            ("weight", torch.rand(out) + 0.5), ("bias", torch.randn(out) / 3),
            ("running_mean", torch.randn(out) / 3), ("running_var", torch.rand(out) + 0.5),
        ):  # fmt: skip
            self.weights.setdefault(f"{norm}.{part}", value)
        total = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:]]
        x = F.pad(x, (total[1] // 2, -(-total[1] // 2), total[0] // 2, -(-total[0] // 2)))
        x = F.conv2d(x, w, None, stride, 0, 1, groups)
        parts = [
            self.weights[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")
        ]
        x = F.batch_norm(x, *parts, training=False, eps=1e-3)
        return F.relu6(x) if relu else x

    def __call__(self, x: Tensor) -> Tensor:
        x = self.layer(x, "conv_stem", "bn1", 32, 3, 2)
        for s, (repeats, kernel, stride, out) in enumerate(STAGES):
            for r in range(repeats):
                x = self.block(x, f"blocks.{s}.{r}", kernel, stride if r == 0 else 1, out, s > 0)
        return self.layer(x, "conv_head", "bn2", 1280)

    def block(self, x: Tensor, at: str, k: int, stride: int, out: int, wide: bool) -> Tensor:
        y = self.layer(x, f"{at}.conv_pw", f"{at}.bn1", 6 * x.shape[1]) if wide else x
        norms = (f"{at}.bn2", f"{at}.bn3") if wide else (f"{at}.bn1", f"{at}.bn2")
        y = self.layer(y, f"{at}.conv_dw", norms[0], y.shape[1], k, stride, deep=True)
        y = self.layer(y, f"{at}.conv_pwl" if wide else f"{at}.conv_pw", norms[1], out, relu=False)
        return x + y if stride == 1 and x.shape[1] == out else y


@pytest.fixture(scope="module")
def timm() -> Timm:
    torch.manual_seed(0)
    model = Timm()
    model(torch.zeros(1, 3, 64, 64))
    return model


def test_the_folded_network_computes_the_same(timm: Timm, tmp_path: Path) -> None:
    extra = {"classifier.weight": torch.zeros(10, 1280), "bn1.num_batches_tracked": torch.tensor(1)}
    save_file({**timm.weights, **extra}, tmp_path / "model.safetensors")
    output = tmp_path / "out" / "efficientnet_lite3.safetensors"
    prepare_weights(tmp_path / "model.safetensors", output)
    encoder = Encoder(EncoderConfig(pixels=96)).eval()
    encoder.load_pretrained(output)
    photos = torch.randint(0, 256, (2, 3, 96, 80), dtype=torch.uint8)
    with torch.inference_mode():
        expected = timm((photos - 127.0) / 128.0)
        found = encoder(photos)
    assert found.shape == (2, 9, 1280)
    torch.testing.assert_close(found, expected.flatten(2).transpose(1, 2), rtol=1e-3, atol=1e-3)
    assert expected.std() > 0.1


def test_other_weights_are_refused(timm: Timm, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({k: v for k, v in timm.weights.items() if k != "blocks.3.2.bn2.bias"}, file)
    with pytest.raises(CaptionerError, match=r"no tensor 'blocks\.3\.2\.bn2\.bias'"):
        prepare_weights(file, tmp_path / "out.safetensors")
    save_file({**timm.weights, "conv_head.weight": torch.zeros(1280, 320, 1, 1)}, file)
    with pytest.raises(CaptionerError, match=r"is not timm's .*size mismatch for head\.weight"):
        prepare_weights(file, tmp_path / "out.safetensors")
    file.write_bytes(b"\x80\x02}q\x00.")  # a pickle
    with pytest.raises(CaptionerError, match="cannot be read as safetensors"):
        prepare_weights(file, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
