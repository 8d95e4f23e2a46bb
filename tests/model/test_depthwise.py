"""The frozen depthwise convolution: PyTorch's own gradients, wherever it stands in for them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from captioner.model.depthwise import FrozenDepthwise
from captioner.model.lite3 import Lite3, SameConv2d


@pytest.mark.parametrize("size", [(6, 6), (7, 5), (8, 9), (1, 1)])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_output_and_gradients(size: tuple[int, int], kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    layer = SameConv2d(3, 3, kernel, stride, groups=3).double()
    photos = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    expected = layer(photos)  # the kernels learn: PyTorch's own convolution
    weights = torch.randn_like(expected)
    assert layer.bias is not None
    wanted = torch.autograd.grad((expected * weights).sum(), [photos, layer.bias])
    layer.weight.requires_grad_(False)
    found = layer(photos)
    assert type(found.grad_fn).__name__ == "FrozenDepthwiseBackward"
    torch.testing.assert_close(found, expected)
    given = torch.autograd.grad((found * weights).sum(), [photos, layer.bias])
    torch.testing.assert_close(given, wanted)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 2), (2, 0), (2, 1), (3, 1)])
def test_numerical_gradient(stride: int, padding: int) -> None:
    torch.manual_seed(0)
    photos = torch.randn(1, 2, 9, 8, dtype=torch.float64, requires_grad=True)
    kernels = torch.randn(2, 1, 3, 3, dtype=torch.float64)

    def convolved(x: Tensor) -> Tensor:
        y: Tensor = FrozenDepthwise.apply(x, kernels, None, stride, padding)
        return y

    assert torch.autograd.gradcheck(convolved, photos)


def gradients(net: Lite3, maps: Tensor, bf16: bool) -> list[Tensor]:
    net.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        grid = net.upper(maps)
    grid.float().square().mean().backward()
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]


@pytest.mark.parametrize("bf16", [False, True])
def test_the_tuned_encoder_learns_the_same(bf16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = Lite3()
    net.tune_upper()
    maps = torch.randn(2, 136, 6, 6)
    found = gradients(net, maps, bf16)

    calls = []

    def plain(x: Tensor, w: Tensor, b: Tensor | None, stride: int, padding: int) -> Tensor:
        calls.append(w)
        return F.conv2d(x, w, b, stride, padding, 1, len(w))

    monkeypatch.setattr(FrozenDepthwise, "apply", plain)
    wanted = gradients(net, maps, bf16)
    assert len(calls) == 7  # blocks of the two stages that learn
    assert len(found) == len(wanted) > 30
    for one, other in zip(found, wanted, strict=True):
        error = (one - other).norm() / other.norm()
        assert error < (0.03 if bf16 else 1e-4)
