"""Photos augmented in one batch look as PIL and torchvision make them look one by one."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from captioner.torchvision_import import torchvision
from captioner.training import augment as module
from captioner.training.augment import Looks, augment, draw_looks
from captioner.training.batches import Share

SIDE = 48


@pytest.fixture
def photos() -> Tensor:
    """Two smooth ones, so that two ways of interpolating agree."""
    small = np.random.default_rng(3).integers(0, 256, (2, 6, 6, 3), dtype=np.uint8)
    large = [Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for one in small]
    return torch.from_numpy(np.stack([np.asarray(one) for one in large])).permute(0, 3, 1, 2)


def looks(centre: list[float], size: list[float], colour: list[float]) -> Looks:
    """The same for both photos."""
    return Looks(*(torch.tensor([part, part]) for part in (centre, size, colour)))


PLAIN = [1.0, 1.0, 1.0]


def test_a_window_is_what_pil_cuts_out_and_enlarges(photos: Tensor) -> None:
    box = (6, 12, 42, 36)  # left, top, right, bottom
    centre = [(box[0] + box[2]) / SIDE - 1, (box[1] + box[3]) / SIDE - 1]
    size = [(box[2] - box[0]) / SIDE, (box[3] - box[1]) / SIDE]
    found = augment(photos, looks(centre, size, PLAIN))
    for one, photo in zip(found, photos, strict=True):
        image = Image.fromarray(photo.permute(1, 2, 0).numpy())
        expected = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
        difference = one.permute(1, 2, 0).numpy() - np.asarray(expected, np.float32)
        inside = difference[4:-4, 4:-4]  # at the rim one sees beyond the window
        assert np.abs(inside).max() < 1.5  # PIL rounds


def test_a_negative_width_mirrors(photos: Tensor) -> None:
    found = augment(photos, looks([0.0, 0.0], [-1.0, 1.0], PLAIN))
    torch.testing.assert_close(found, photos.flip(3).float(), atol=0.01, rtol=0)


def test_training_in_16_bits_moves_no_pixel(photos: Tensor) -> None:
    look = looks([0.1, -0.2], [-0.7, 0.6], [1.2, 0.8, 1.1])
    expected = augment(photos, look)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(augment(photos, look), expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("factor", [0.7, 1.3])
@pytest.mark.parametrize("which", ["brightness", "contrast", "saturation"])
def test_colours_are_torchvisions(photos: Tensor, which: str, factor: float) -> None:
    torchvision()
    from torchvision.transforms.v2 import functional

    change = getattr(functional, f"adjust_{which}")
    names = ["brightness", "contrast", "saturation"]
    colour = [factor if name == which else 1.0 for name in names]
    expected = change(photos.float() / 255, factor) * 255
    found = augment(photos, looks([0.0, 0.0], [1.0, 1.0], colour))
    torch.testing.assert_close(found, expected, atol=0.3, rtol=0.001)  # its greys are rounded


def test_windows_lie_inside_and_have_the_area_asked_for() -> None:
    mirrored = np.random.default_rng(0).random(500) < 0.5
    drawn = draw_looks(mirrored, np.random.default_rng(1))
    assert np.array_equal(drawn.size[:, 0] < 0, mirrored)
    size = drawn.size.abs()
    assert (drawn.centre.abs() + size <= 1 + 1e-6).all()
    least, most = module.AREA
    assert (size.prod(1) >= least - 1e-6).all() and (size.prod(1) <= most + 1e-6).all()
    for rank in range(2):
        part = draw_looks(mirrored, np.random.default_rng(1), Share(rank, 2))
        assert all(
            torch.equal(getattr(part, name), getattr(drawn, name)[rank::2])
            for name in ("centre", "size", "colour")
        )
