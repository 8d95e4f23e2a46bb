"""Photos as training sees them: augmented, mirrored where that is true, their maps kept once."""

import shutil
import tarfile
from functools import cache as cached
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from captioner import CaptionerError, ImageError
from captioner.model.config import EncoderConfig
from captioner.model.encoder import Encoder
from captioner.training import cache, objectives
from captioner.training.batches import ALL, Indices, Share
from captioner.training.cache import MapCache
from captioner.training.data import (
    Example,
    PhotoFiles,
    attribute_targets,
)
from captioner.training.photos import CachedPhotos, Photos, PixelPhotos, encode, plain_grid
from captioner.training.stage import Stage
from tests.tiny import keep_signal
from tests.training.toy import PIXELS, Album, example


class Plain(Encoder):
    """Its grid is the photo itself."""

    def __init__(self) -> None:
        super().__init__(EncoderConfig(pixels=PIXELS))
        self.requires_grad_(False)

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return photos

    lower = forward

    def upper(self, lower: torch.Tensor) -> torch.Tensor:
        return lower


@cached
def plain() -> Plain:
    return Plain()


def seen(
    source: Photos, photos: Indices, rng: np.random.Generator, share: Share = ALL
) -> torch.Tensor:
    """What a share of the photos looks like, drawn by the generator."""
    look = source.draw(photos, rng, share)
    return encode(source, source.read(torch.from_numpy(share.of(photos)), look), plain())


@pytest.fixture
def two_photos(album: Album) -> tuple[PhotoFiles, list[Example]]:
    """A photo whose caption says left, and one that may be mirrored."""
    files = PhotoFiles([album.folder / "photos"])
    return files, [example("0-0.png", "a square on the left"), example("0-1.png", "a square")]


def mirrorings(photos: Photos, rng: np.random.Generator) -> list[bool]:
    """Which of the two photos came mirrored; each must be the plain one otherwise."""
    whole = plain_grid(photos, np.array([0, 1]), plain())
    drawn = seen(photos, np.array([0, 1]), rng)
    found = []
    for one, other in zip(whole, drawn, strict=True):
        mirrored = torch.allclose(other, one.flip(2), atol=0.01)
        assert mirrored != torch.allclose(other, one, atol=0.01)
        found.append(mirrored)
    return found


def test_left_is_never_mirrored(
    two_photos: tuple[PhotoFiles, list[Example]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, examples = two_photos
    monkeypatch.setattr("captioner.training.photos.NINTHS", (9,))
    monkeypatch.setattr("captioner.training.augment.AREA", (1.0, 1.0))
    monkeypatch.setattr("captioner.training.augment.STRETCH", (1.0, 1.0))
    monkeypatch.setattr("captioner.training.augment.COLOUR", 0.0)
    pixels = PixelPhotos(plain(), files, examples)
    for photos in (pixels, CachedPhotos(plain(), files, examples, tmp_path)):
        rng = np.random.default_rng(0)
        found = [mirrorings(photos, rng) for _ in range(24)]
        assert not any(left for left, _ in found)
        assert 4 < sum(other for _, other in found) < 20


def test_windows_of_cached_maps(
    two_photos: tuple[PhotoFiles, list[Example]], tmp_path: Path
) -> None:
    files, examples = two_photos
    photos = CachedPhotos(plain(), files, [examples[0]], tmp_path)
    whole = plain_grid(photos, np.array([0]), plain())[0]
    sides, places = [], set()
    rng = np.random.default_rng(0)
    for _ in range(30):
        window = seen(photos, np.array([0]), rng)[0]
        side = window.shape[2]
        assert window.shape == (3, side, side)
        sides.append(side)
        matches = [
            (top, left)
            for top in range(PIXELS - side + 1)
            for left in range(PIXELS - side + 1)
            if torch.equal(whole[:, top : top + side, left : left + side], window)
        ]
        places.update(matches)
        assert len(matches) == 1
    assert set(sides) == {PIXELS, round(PIXELS * 8 / 9), round(PIXELS * 7 / 9)}
    assert 3 < sides.count(PIXELS) < 20 and len(places) > 5


def test_pixels_are_augmented_by_the_step_alone(
    two_photos: tuple[PhotoFiles, list[Example]],
) -> None:
    files, examples = two_photos
    photos = PixelPhotos(plain(), files, examples, hold=True)
    both = np.array([0, 1])

    def drawn(seed: int, share: Share = ALL) -> torch.Tensor:
        return seen(photos, both, np.random.default_rng(seed), share)

    torch.manual_seed(1)
    first = drawn(5)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(drawn(5), first) and not torch.equal(drawn(6), first)
    assert torch.equal(torch.cat([drawn(5, Share(rank, 2)) for rank in range(2)]), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)  # what dropout will draw is left alone
    unheld = PixelPhotos(plain(), files, examples)
    assert torch.equal(seen(unheld, both, np.random.default_rng(5)), first)


def test_held_photos_are_read_once(
    two_photos: tuple[PhotoFiles, list[Example]], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, examples = two_photos
    photos = PixelPhotos(plain(), files, examples, hold=True)
    first = plain_grid(photos, np.array([0, 1]), plain())
    expected = np.stack([files.read(e.file_name, PIXELS) for e in examples]).transpose(0, 3, 1, 2)
    assert np.array_equal(first, expected)
    monkeypatch.setattr(files, "read", lambda name, side: pytest.fail(f"{name} is read again"))
    again = PixelPhotos(plain(), files, examples, hold=True)  # as the next stage asks for them
    assert torch.equal(plain_grid(again, np.array([1, 0]), plain()), first.flip(0))


def test_a_photo_that_cannot_be_held_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("text")
    with pytest.raises(ImageError, match=r"bad\.png"):
        PixelPhotos(plain(), PhotoFiles([tmp_path]), [example("bad.png", "a")], hold=True)


def test_maps_are_computed_once(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = PhotoFiles([album.folder / "photos"])
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(pixels=PIXELS))
    names = ["0-0.png", "0-1.png", "0-2.png"]
    first = MapCache(encoder, files, names, tmp_path / "maps")
    assert encoder.training  # as it was before
    expected = encoder.lower(torch.tensor(files.read(names[2], PIXELS)).permute(2, 0, 1)[None])
    found = first.read(np.array([2]), np.array([False]), (0, 0, 0)).float()
    torch.testing.assert_close(found, expected.detach(), atol=0.02, rtol=0.05)  # bf16
    assert [p.suffix for p in (tmp_path / "maps").iterdir()] == [".npy"]

    reads: list[str] = []
    monkeypatch.setattr(files, "read", lambda name, side: reads.append(name) or first.parts[0])
    again = MapCache(encoder, files, names, tmp_path / "maps")
    assert not reads and np.array_equal(again.parts, first.parts)
    with torch.no_grad():
        encoder.backbone.head.weight += 1  # above the maps
    MapCache(encoder, files, names, tmp_path / "maps")
    assert not reads


@pytest.mark.parametrize("grids", [False, True])
def test_maps_that_were_computed_before_a_kill_stay(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grids: bool
) -> None:
    files, places = PhotoFiles([album.folder / "photos"]), np.array([0, 4, 3, 1, 2])
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(pixels=PIXELS))
    keep_signal(encoder.backbone)
    names = [f"0-{i}.png" for i in range(5)]
    whole = MapCache(encoder, files, names, tmp_path / "whole", grids)
    expected = whole.read(places, places > 2, (0, 0, 0))
    monkeypatch.setattr(cache, "PART", 2)
    read, left = files.read, [3]

    def dies(name: str, side: int) -> npt.NDArray[np.uint8]:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return read(name, side)

    monkeypatch.setattr(cache, "BATCH", 1)
    monkeypatch.setattr(files, "read", dies)
    with pytest.raises(KeyboardInterrupt):
        MapCache(encoder, files, names, tmp_path / "maps", grids)
    left[0] = 3  # two of the five are there
    parts = MapCache(encoder, files, names, tmp_path / "maps", grids)
    assert left[0] == 0 and len(parts.parts) == 3
    found = parts.read(places, places > 2, (0, 0, 0))
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.05)  # bf16, other batches


def test_another_photo_of_the_same_name_gets_maps_of_its_own(album: Album, tmp_path: Path) -> None:
    encoder = Encoder(EncoderConfig(pixels=PIXELS))
    keep_signal(encoder.backbone)
    sources = {
        name: [album.folder / "photos" / file for file in ("0-0.png", "0-1.png")][i]
        for i, name in enumerate(("dogs", "cats"))
    }
    for name, source in sources.items():
        (tmp_path / name).mkdir()
        shutil.copy(source, tmp_path / name / "1.png")
        with tarfile.open(tmp_path / f"{name}.tar", "w") as tar:
            tar.add(source, "1.png")
    for ending in ("", ".tar"):
        places = [PhotoFiles([tmp_path / f"{name}{ending}"]) for name in sources]
        first, second = (
            MapCache(encoder, files, ["1.png"], tmp_path / "maps").parts for files in places
        )
        assert not np.array_equal(first, second)


def test_a_map_that_is_only_flattened_is_kept_once(album: Album, tmp_path: Path) -> None:
    """torchvision's encoders have nothing above the map."""
    files = PhotoFiles([album.folder / "photos"])
    encoder = Encoder(EncoderConfig(name="mobilenet_v3_small", pixels=PIXELS))
    examples = [Example("0-0.png", "coco", (), ())]
    photos = CachedPhotos(encoder.eval(), files, examples, tmp_path, grids=True)
    assert len(list(tmp_path.iterdir())) == 1
    pixels = torch.tensor(files.read("0-0.png", PIXELS)).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = encoder(pixels)
    found = plain_grid(photos, np.array([0]), encoder)
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0.05)


def test_grids_are_what_the_whole_encoder_makes(album: Album, tmp_path: Path) -> None:
    files = PhotoFiles([album.folder / "photos"])
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(pixels=PIXELS))
    keep_signal(encoder.backbone)
    examples = [Example(f"0-{i}.png", "coco", (), ()) for i in range(3)]
    photos = CachedPhotos(encoder, files, examples, tmp_path, grids=True)
    pixels = torch.tensor(files.read("0-2.png", PIXELS)).permute(2, 0, 1)
    with torch.no_grad():
        expected = encoder(torch.stack([pixels, pixels.flip(2)]))
    whole = plain_grid(photos, np.array([2]), encoder)
    assert whole.shape == (1, 4, encoder.channels) and expected.abs().max() > 0.5
    torch.testing.assert_close(whole, expected[:1], atol=0.03, rtol=0.05)  # bf16
    assert (expected[0] - expected[1]).abs().max() > 0.2  # so the test can tell them apart
    mirrored = photos.cache.read(np.array([2]), np.array([True]), (0, 0, 0)).float()
    torch.testing.assert_close(
        mirrored.flatten(2).transpose(1, 2), expected[1:], atol=0.03, rtol=0.05
    )
    with torch.no_grad():
        encoder.backbone.head.weight += 1
    assert not np.array_equal(
        CachedPhotos(encoder, files, examples, tmp_path, True).cache.parts, photos.cache.parts
    )


def unmirrored(stage: Stage) -> tuple[CachedPhotos, Indices, np.random.Generator, float]:
    """The stage's photos, none mirrored; those of step 2, what draws for it, and the larger share
    of the photo on top."""
    source = stage.photos
    assert isinstance(source, CachedPhotos)
    source.flips[:] = False
    photos, rng = stage.dealt[stage.order.at(2)], np.random.default_rng([3, 2, 0])
    return source, photos, rng, 0.7


def test_mixup_lays_each_photo_over_the_one_before(album: Album, tmp_path: Path) -> None:
    recipe = album.recipe(tmp_path / "run", objective="words", tune="nothing", mixup=0.7, seed=3)
    stage = Stage(recipe, Share())
    model = stage.model.eval()
    source, photos, rng, mixup = unmirrored(stage)
    part = rng.beta(mixup, mixup)
    part = max(part, 1 - part)
    grids = plain_grid(source, photos, model.encoder)
    targets = torch.from_numpy(attribute_targets(stage.examples, model.attributes))[photos]
    expected = 0.0
    for i in range(len(photos)):
        grid = part * grids[i] + (1 - part) * grids[i - 1]
        target = part * targets[i] + (1 - part) * targets[i - 1]
        told = model.head(grid[None]).sigmoid()[0]
        expected += F.binary_cross_entropy(told, target, reduction="sum").item()
    [(total, count)] = stage.loss(2).terms
    assert count == 8 and total.item() == pytest.approx(expected, rel=1e-4)


def test_with_mixup_captions_are_those_of_the_photo_that_shows_more(
    album: Album, tmp_path: Path
) -> None:
    recipe = album.recipe(tmp_path / "run", tune="nothing", mixup=0.7, seed=3, attribute_weight=0.5)
    stage = Stage(recipe, Share())
    model = stage.model.eval()
    source, photos, rng, mixup = unmirrored(stage)
    captions = stage.captions.draw(photos, rng)
    part = rng.beta(mixup, mixup)
    part = max(part, 1 - part)
    grids = plain_grid(source, photos, model.encoder)
    grid = part * grids + (1 - part) * grids.roll(1, 0)
    state = objectives.repeat(model.start_from_grid(grid), recipe.training.captions_per_photo)
    log_probs = model.decoder.score(model.decoder(captions.words, state).features)
    known = captions.targets >= 0
    told = log_probs[known].gather(1, captions.targets[known][:, None])
    assert stage.loss(2).figures["nll"] == (pytest.approx(-told.sum().item()), int(known.sum()))


def test_with_mixup_rewards_are_for_what_is_said_of_the_photo_that_shows_more(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = album.recipe(
        tmp_path / "run", objective="self_critical", tune="nothing", mixup=0.7, seed=3
    )
    stage = Stage(recipe, Share())
    source, photos, rng, mixup = unmirrored(stage)
    part = rng.beta(mixup, mixup)
    part = max(part, 1 - part)
    grids = plain_grid(source, photos, stage.model.encoder)
    met = []
    monkeypatch.setattr(stage, "reward", lambda *given: met.append(given))
    stage.loss(2)
    [(_, grid, _, rewarded, *_)] = met
    assert torch.allclose(grid, part * grids + (1 - part) * grids.roll(1, 0), atol=1e-5)
    assert rewarded == photos.tolist()


def test_a_photo_that_fails_leaves_no_maps(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(album.folder / "photos" / "0-0.png", photos / "good.png")
    (photos / "bad.png").write_text("text")
    encoder = Encoder(EncoderConfig(pixels=PIXELS))
    monkeypatch.setattr(cache, "BATCH", 1)
    with pytest.raises(ImageError, match=r"bad\.png"):
        MapCache(encoder, PhotoFiles([photos]), ["good.png", "bad.png"], tmp_path / "maps")
    assert not list(tmp_path.glob("maps/*"))
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptionerError, match=r"^\S*file\S*: cannot be written"):
        MapCache(encoder, PhotoFiles([photos]), ["good.png"], tmp_path / "file" / "maps")
