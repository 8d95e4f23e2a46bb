"""EfficientNet-Lite3: TensorFlow's padding, the two halves, the published size and weights."""

import copy
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from captioner.engines.torch import _multiplies_bf16
from captioner.errors import CaptionerError
from captioner.model.config import EncoderConfig
from captioner.model.encoder import Encoder
from captioner.model.lite3 import InvertedResidual, Lite3, SameConv2d
from tests.tiny import keep_signal


@pytest.fixture(scope="module")
def net() -> Lite3:
    torch.manual_seed(0)
    net = Lite3().eval()
    keep_signal(net)
    return net


def slow_same(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """TensorFlow's SAME convolution of one channel, from its formula, with loops."""
    size, k = x.shape[0], kernel.shape[0]
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + k - size, 0)
    before = total // 2
    padded = np.zeros((size + total, size + total))
    padded[before : before + size, before : before + size] = x
    return np.array(
        [
            [
                (padded[i * stride : i * stride + k, j * stride : j * stride + k] * kernel).sum()
                for j in range(outputs)
            ]
            for i in range(outputs)
        ]
    )


@pytest.mark.parametrize("size", [7, 8, 9, 1])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding(size: int, kernel: int, stride: int) -> None:
    layer = SameConv2d(1, 1, kernel, stride, bias=False).double()
    x = torch.randn(1, 1, size, size, dtype=torch.float64)
    expected = slow_same(x[0, 0].numpy(), layer.weight[0, 0].detach().numpy(), stride)
    np.testing.assert_allclose(layer(x)[0, 0].detach().numpy(), expected, atol=1e-12)


def test_same_padding_treats_height_and_width_apart() -> None:
    layer = SameConv2d(2, 3, 3, 2)
    x = torch.randn(1, 2, 7, 8)
    expected = F.conv2d(F.pad(x, (0, 1, 1, 1)), layer.weight, layer.bias, 2)  # left 0, top 1
    torch.testing.assert_close(layer(x), expected)


def test_lower_and_upper_are_the_net(net: Lite3) -> None:
    x = torch.randn(1, 3, 64, 96)
    whole = F.relu6(net.stem(x))
    for block in net.blocks:
        whole = block(whole)
    whole = F.relu6(net.head(whole))
    lower = net.lower(x)
    assert lower.shape == (1, 136, 4, 6)
    torch.testing.assert_close(net.upper(lower), whole)
    torch.testing.assert_close(net(x), whole)


@pytest.mark.parametrize("size", [63, 64])
def test_captioning_computes_what_training_does(net: Lite3, size: int) -> None:
    """While captioning, convolution and ReLU6 are one operation of the processor's library."""
    x = torch.randn(2, 3, size, size)
    with torch.inference_mode():
        captioning = net(x)
    training = net(x).detach()
    torch.testing.assert_close(captioning, training, atol=1e-5, rtol=1e-4)
    assert captioning.std() > 0


@pytest.mark.skipif(not _multiplies_bf16(), reason="needs a processor that is quick with bf16")
def test_captioning_in_bf16_is_close(net: Lite3) -> None:
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        rough, exact = copy.deepcopy(net).bfloat16()(x.bfloat16()).float(), net(x)
    assert rough.shape == exact.shape
    assert (rough - exact).norm() < 0.03 * exact.norm()


def test_as_many_parameters_as_its_description_says(net: Lite3) -> None:
    """Counted from the table of stages alone: kernels and one bias a channel."""
    stages = "1,3,1,1,24 3,3,2,6,32 3,5,2,6,48 5,3,2,6,96 5,5,1,6,136 6,5,2,6,232 1,3,1,6,384"
    expected, inputs = 3 * 9 * 32 + 32, 32
    for stage in stages.split():
        repeats, kernel, _, expansion, outputs = map(int, stage.split(","))
        for _ in range(repeats):
            hidden = inputs * expansion
            expected += (inputs * hidden + hidden) * (expansion > 1)
            expected += hidden * kernel**2 + hidden + hidden * outputs + outputs
            inputs = outputs
    expected += inputs * 1280 + 1280
    assert sum(p.numel() for p in net.parameters()) == expected


def test_stochastic_depth_leaves_blocks_out_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    block = InvertedResidual(4, 4, 3, 1, 2).train()
    block.drop_probability = 0.5
    one = torch.randn(1, 4, 5, 5)
    with torch.no_grad():
        change = (block(one.expand(400, -1, -1, -1)) - one).flatten(1)
        full = (block.eval()(one) - one).flatten()
    left_out = (change == 0).all(1)
    assert 150 < int(left_out.sum()) < 250
    torch.testing.assert_close(change[~left_out][0], 2 * full)


def test_tuning_the_upper_part_spares_the_lower_and_the_depthwise_kernels(net: Lite3) -> None:
    tuned = Lite3()
    tuned.tune_upper()
    tuned.drop_depth(0.2)
    learning = {name for name, p in tuned.named_parameters() if p.requires_grad}
    assert {"head.weight", "blocks.17.expand.weight", "blocks.23.project.bias"} <= learning
    for name, _ in tuned.named_parameters():
        upper = name.startswith("head") or (
            name.startswith("blocks") and int(name.split(".")[1]) >= 17
        )
        assert (name in learning) == (upper and not name.endswith("dw.weight")), name
    depths = [block.drop_probability for block in tuned.blocks]
    assert (
        depths[:18] == [0.0] * 18 and depths[-1] == pytest.approx(0.2) and depths == sorted(depths)
    )


def test_what_is_tuned_begins_at_any_block(net: Lite3) -> None:
    other = copy.deepcopy(net)
    other.split = 12
    x = torch.randn(1, 3, 64, 64)
    assert other.lower(x).shape == (1, 96, 4, 4)
    torch.testing.assert_close(other(x), net(x))
    other.tune_upper()
    other.drop_depth(0.3)
    learning = {name for name, p in other.named_parameters() if p.requires_grad}
    assert "blocks.12.project.weight" in learning and "blocks.11.project.weight" not in learning
    depths = [block.drop_probability for block in other.blocks]
    assert depths[:13] == [0.0] * 13 and depths[-1] == pytest.approx(0.3)
    names = [f"blocks.{i}.dw.bias" for i in range(24)]
    assert [net.depth(name) for name in ["stem.bias", *names, "head.bias"]] == [*range(25, -1, -1)]


def first_photo(shared: Path) -> Tensor:
    with tarfile.open(shared / "data" / "photos" / "val-00.tar") as archive:
        member = next(m for m in archive if m.isfile())
        file = archive.extractfile(member)
        assert file is not None
        image = Image.open(io.BytesIO(file.read())).convert("RGB").resize((256, 256))
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None]


def test_real_weights_see_something(shared: Path) -> None:
    encoder = Encoder(EncoderConfig(pixels=256)).eval()
    encoder.load_pretrained(shared / "weights" / "efficientnet_lite3.safetensors")
    with torch.inference_mode():
        grid = encoder(first_photo(shared))
        nothing = encoder(torch.full((1, 3, 256, 256), 127))
    assert grid.shape == (1, 64, 1280)
    assert grid.isfinite().all() and grid.min() >= 0 and grid.max() <= 6
    assert (grid > 0).float().mean() > 0.01
    assert (grid - nothing).abs().mean() > 0.01


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "another.safetensors"
    save_file({"stem.weight": torch.zeros(8, 3, 3, 3)}, file)
    with pytest.raises(CaptionerError, match="does not fit efficientnet_lite3"):
        Encoder(EncoderConfig()).load_pretrained(file)
