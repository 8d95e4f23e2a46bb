"""Backbones by torchvision's names: their grids, and what is refused."""

import warnings
from typing import Any
from urllib.error import URLError

import pytest
import torch

from captioner.errors import CaptionerError
from captioner.model.config import EncoderConfig
from captioner.model.encoder import Encoder
from captioner.torchvision_import import torchvision

# Where torchvision's own code takes the map that it pools: attribute, channels.
BACKBONES = {
    "mobilenet_v3_small": ("features", 576),
    "mobilenet_v2": ("features", 1280),
    "efficientnet_b0": ("features", 1280),
    "convnext_tiny": ("features", 768),
    "regnet_y_400mf": ("trunk_output", 440),
    "shufflenet_v2_x0_5": ("conv5", 1024),
    "squeezenet1_1": ("features", 512),
    "vgg11": ("features", 512),
}


@pytest.mark.parametrize("name", BACKBONES)
def test_grid_is_the_last_map_before_pooling(name: str) -> None:
    encoder = Encoder(EncoderConfig(name=name, pixels=64)).eval()
    torch.manual_seed(1)
    photos = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    layer, channels = BACKBONES[name]
    original = torchvision().models.get_model(name).eval()
    original.load_state_dict(encoder.backbone.body.state_dict(), strict=False)
    seen: list[torch.Tensor] = []
    original.get_submodule(layer).register_forward_hook(lambda *args: seen.append(args[2]))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        grid = encoder(photos)
        original((photos / 255 - mean[:, None, None]) / std[:, None, None])
    assert grid.shape == (2, seen[0].shape[2] ** 2, channels)
    assert encoder.channels == channels
    torch.testing.assert_close(
        grid, seen[0].permute(0, 2, 3, 1).reshape(grid.shape), atol=2e-4, rtol=2e-4
    )


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 512), ("densenet121", 1024)])
def test_grid_is_square_and_in_raster_order(name: str, channels: int) -> None:
    encoder = Encoder(EncoderConfig(name=name, pixels=96)).eval()
    photos = torch.full((1, 3, 96, 96), 100.0)
    changed = photos.clone()
    changed[..., 80:, :16] = 250  # the bottom left corner
    with torch.inference_mode():
        change = (encoder(changed) - encoder(photos)).abs().sum(2).view(3, 3)
    assert encoder.channels == channels
    assert change.argmax() == 6, change


def test_maps_of_layers_in_a_list_are_found() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder = Encoder(EncoderConfig(name="maxvit_t", pixels=224)).eval()
    assert encoder.channels == 512
    assert encoder.is_lower("blocks.3.layers.0.weight")


@pytest.mark.parametrize(
    ("name", "pixels", "reason"),
    [
        ("vit_b_16", 224, "makes no grid of regions"),
        ("vit_b_16", 64, "takes no photo of 64 pixels"),
        ("efficientnet_lite9", 64, "is neither efficientnet_lite3 nor one of .*resnet50"),
        ("fasterrcnn_resnet50_fpn", 64, "is neither"),
    ],
)
def test_refused_in_one_sentence(name: str, pixels: int, reason: str) -> None:
    with pytest.raises(CaptionerError, match=reason) as error:
        Encoder(EncoderConfig(name=name, pixels=pixels))
    assert name in str(error.value) and "\n" not in str(error.value)


def test_download_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **kwargs: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(CaptionerError, match="mobilenet_v3_small: its weights cannot be down"):
        Encoder(EncoderConfig(name="mobilenet_v3_small", pixels=64), "DEFAULT")
