"""What goes into training: captions in every format, photos from everywhere, true mirror images."""

import gzip
import json
import lzma
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from captioner import CaptionerError, ImageError
from captioner.config import DataConfig, EncoderConfig
from captioner.model.encoder import Encoder
from captioner.training import cache
from captioner.training.batches import ALL, Share
from captioner.training.cache import MapCache
from captioner.training.data import (
    Example,
    PhotoFiles,
    attribute_targets,
    choose_words,
    read_examples,
    read_sentences,
)
from captioner.training.photos import CachedPhotos, PixelPhotos
from captioner.training.stage import Stage
from tests.tiny import keep_signal
from tests.training.toy import PIXELS, Album


def first_loss(album: Album, output: Path, **changes: Any) -> float:
    stage = Stage(album.recipe(output, **changes), Share())
    return sum(total.item() / count for total, count in stage.loss(0).terms)


def captions_of(album: Album) -> dict[str, list[str]]:
    coco = json.loads(album.train.read_text())
    return {
        image["file_name"]: [
            a["caption"] for a in coco["annotations"] if a["image_id"] == image["id"]
        ]
        for image in coco["images"]
    }


def test_karpathy_and_flickr_files_train_alike(album: Album, tmp_path: Path) -> None:
    """The same captions in COCO's, Karpathy's and Flickr's files give the very same loss."""
    captions = captions_of(album)
    images = [
        {
            "filename": name, "filepath": "photos", "imgid": i,
            "split": "restval" if i % 3 else "train", "sentences": [{"raw": c} for c in own],
        }
        for i, (name, own) in enumerate(captions.items())
    ]  # fmt: skip
    absent = {"filename": "absent.png", "imgid": 999, "split": "test"}
    absent["sentences"] = [{"raw": "A purple zebra."}]
    karpathy = tmp_path / "dataset_coco.json"
    karpathy.write_text(json.dumps({"dataset": "coco", "images": [*images, absent]}))
    flickr = tmp_path / "results.token"
    flickr.write_text(
        "".join(f"{name}#{i}\t{c}\n" for name, own in captions.items() for i, c in enumerate(own))
    )
    expected = first_loss(album, tmp_path / "coco")
    assert first_loss(album, tmp_path / "flickr", train=flickr) == expected
    found = first_loss(album, tmp_path / "karpathy", train=karpathy, photos=[album.folder])
    assert found == expected


def test_a_split_that_is_empty(album: Album, tmp_path: Path) -> None:
    file = tmp_path / "dataset.json"
    image = {"filename": "a.png", "imgid": 1, "split": "test", "sentences": [{"raw": "A dog."}]}
    file.write_text(json.dumps({"dataset": "coco", "images": [image]}))
    with pytest.raises(CaptionerError, match="no photo is of the split train or restval"):
        read_examples(file, ("coco",), ("train", "restval"))


def test_tar_shards_train_alike(album: Album, tmp_path: Path) -> None:
    names = sorted((album.folder / "photos").iterdir())
    shards = tmp_path / "shards"
    shards.mkdir()
    for i in range(3):
        with tarfile.open(shards / f"train-{i}.tar", "w") as archive:
            for photo in names[i::3]:
                archive.add(photo, f"./{photo.name}" if i else photo.name)
    expected = first_loss(album, tmp_path / "folder")
    for places in ([shards], sorted(shards.iterdir())):
        assert first_loss(album, tmp_path / "tar", photos=places, cache=tmp_path) == expected


def test_places_that_hold_no_photos(album: Album, tmp_path: Path) -> None:
    text = tmp_path / "photos.tar"
    text.write_text("no tar\n" * 200)
    packed = tmp_path / "photos.tar.gz"
    packed.write_bytes(gzip.compress(b"0" * 2000))
    for place in (text, packed, tmp_path / "none"):
        with pytest.raises(CaptionerError, match=f"{place}: is no folder and no plain tar file"):
            PhotoFiles([place])
    with pytest.raises(ImageError, match=r"zebra\.png: is in none of the folders and tar files"):
        PhotoFiles([album.folder / "photos"]).read("zebra.png", 8)


def test_photos_are_squeezed_to_a_square(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    image.save(tmp_path / "photo.png")
    pixels = PhotoFiles([tmp_path]).read("photo.png", 16)
    assert pixels.shape == (16, 16, 3) and pixels.dtype == np.uint8
    assert (pixels[:, :6] == [255, 0, 0]).all() and (pixels[:, 10:] == [0, 0, 255]).all()
    (tmp_path / "bad.png").write_bytes((tmp_path / "photo.png").read_bytes()[:60])
    with pytest.raises(ImageError, match=r"bad\.png: is cut off or damaged"):
        PhotoFiles([tmp_path]).read("bad.png", 16)


def test_styles_are_sources(tmp_path: Path) -> None:
    file = tmp_path / "captions.json"
    images = [
        {"id": i, "file_name": f"{i}.jpg", "source": source}
        for i, source in enumerate(["flickr8k", "coco", "elsewhere"])
    ]
    annotations = [{"image_id": i, "caption": "A dog's ball."} for i in range(3)]
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    examples = read_examples(file, ("coco", "flickr8k"), ("train",))
    assert [e.style for e in examples] == ["flickr8k", "coco", "coco"]
    assert examples[0].captions == (("a", "dog", "'s", "ball"),)
    assert examples[0].raw == ("A dog's ball.",)


def test_sentences_plain_and_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A dog runs.\nTwo cats\n")
    (tmp_path / "b.txt.xz").write_bytes(lzma.compress(b"A man's hat."))
    told = read_sentences({"coco": tmp_path / "a.txt", "flickr8k": tmp_path / "b.txt.xz"})
    assert [(s.style, " ".join(s.words)) for s in told] == [
        ("coco", "a dog runs"), ("coco", "two cats"), ("flickr8k", "a man 's hat"),
    ]  # fmt: skip
    (tmp_path / "c.xz").write_text("not compressed")
    (tmp_path / "d.txt").write_bytes(b"caf\xe9")
    for name in ("c.xz", "d.txt", "none.txt"):
        with pytest.raises(CaptionerError, match=f"{name}: cannot be read as sentences"):
            read_sentences({"coco": tmp_path / name})


def example(name: str, *captions: str) -> Example:
    return Example(name, "coco", tuple(tuple(c.split()) for c in captions), captions)


def test_words_and_attribute_words() -> None:
    examples = [
        example("1", "a dog runs", "the dog sits"),
        example("2", "a cat sits"),
        example("3", "a dog sits", "a sofa"),
    ]
    config = DataConfig(train=Path("x"), photos=(), minimum_count=2, attribute_minimum=2)
    vocabulary, attributes = choose_words(config, 5, examples, [])
    assert vocabulary.words[4:] == ("a", "dog", "sits")
    assert attributes == ("sits", "dog")  # of three photos, of two; "a" says nothing
    assert choose_words(config, 1, examples, [])[1] == ("sits",)
    targets = attribute_targets(examples, attributes)
    np.testing.assert_allclose(targets, [[0.5, 1], [1, 0], [0.5, 0.5]])


@pytest.mark.parametrize(
    ("caption", "flips"),
    [
        ("a dog on the left of a cat", False),
        ("two men , one to the right", False),
        ("a left-handed batter", False),
        ("the rightmost of three cups", False),
        ("a bright upright lamp in a frightening room", True),
    ],
)
def test_what_may_be_mirrored(caption: str, flips: bool) -> None:
    assert example("1", "a dog", caption).flips is flips


class Plain(Encoder):
    """Its grid is the photo itself."""

    def __init__(self) -> None:
        super().__init__(EncoderConfig(pixels=PIXELS))

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        return photos

    lower = forward

    def upper(self, lower: torch.Tensor) -> torch.Tensor:
        return lower


@pytest.fixture
def two_photos(album: Album) -> tuple[PhotoFiles, list[Example]]:
    """A photo whose caption says left, and one that may be mirrored."""
    files = PhotoFiles([album.folder / "photos"])
    return files, [example("0-0.png", "a square on the left"), example("0-1.png", "a square")]


def mirrorings(photos: CachedPhotos | PixelPhotos, rng: np.random.Generator) -> list[bool]:
    """Which of the two photos came mirrored; each must be the plain one otherwise."""
    plain = photos.grid(np.array([0, 1]), None)
    drawn = photos.grid(np.array([0, 1]), rng)
    found = []
    for one, other in zip(plain, drawn, strict=True):
        mirrored = torch.allclose(other, one.flip(2), atol=0.01)
        assert mirrored != torch.allclose(other, one, atol=0.01)
        found.append(mirrored)
    return found


def test_left_is_never_mirrored(
    two_photos: tuple[PhotoFiles, list[Example]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, examples = two_photos
    monkeypatch.setattr("captioner.training.photos.CROPPED", 0.0)
    monkeypatch.setattr("captioner.training.augment.AREA", (1.0, 1.0))
    monkeypatch.setattr("captioner.training.augment.STRETCH", (1.0, 1.0))
    monkeypatch.setattr("captioner.training.augment.COLOUR", 0.0)
    pixels = PixelPhotos(Plain(), files, examples)
    for photos in (pixels, CachedPhotos(Plain(), files, examples, tmp_path)):
        rng = np.random.default_rng(0)
        found = [mirrorings(photos, rng) for _ in range(24)]
        assert not any(left for left, _ in found)
        assert 4 < sum(other for _, other in found) < 20


def test_windows_of_cached_maps(
    two_photos: tuple[PhotoFiles, list[Example]], tmp_path: Path
) -> None:
    files, examples = two_photos
    photos = CachedPhotos(Plain(), files, [examples[0]], tmp_path)
    plain = photos.grid(np.array([0]), None)[0]
    side, whole, places = round(PIXELS * 8 / 9), 0, set()
    rng = np.random.default_rng(0)
    for _ in range(30):
        window = photos.grid(np.array([0]), rng)[0]
        if window.shape == plain.shape:
            whole += 1
            continue
        assert window.shape == (3, side, side)
        matches = [
            (top, left)
            for top in range(PIXELS - side + 1)
            for left in range(PIXELS - side + 1)
            if torch.equal(plain[:, top : top + side, left : left + side], window)
        ]
        places.update(matches)
        assert len(matches) == 1
    assert 3 < whole < 20 and len(places) > 5


def test_pixels_are_augmented_by_the_step_alone(
    two_photos: tuple[PhotoFiles, list[Example]],
) -> None:
    files, examples = two_photos
    photos = PixelPhotos(Plain(), files, examples, hold=True)
    both = np.array([0, 1])

    def drawn(seed: int, share: Share = ALL) -> torch.Tensor:
        return photos.grid(both, np.random.default_rng(seed), share)

    torch.manual_seed(1)
    first = drawn(5)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(drawn(5), first) and not torch.equal(drawn(6), first)
    assert torch.equal(torch.cat([drawn(5, Share(rank, 2)) for rank in range(2)]), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)  # what dropout will draw is left alone
    unheld = PixelPhotos(Plain(), files, examples).grid(both, np.random.default_rng(5))
    assert torch.equal(unheld, first)


def test_held_photos_are_read_once(
    two_photos: tuple[PhotoFiles, list[Example]], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, examples = two_photos
    photos = PixelPhotos(Plain(), files, examples, hold=True)
    first = photos.grid(np.array([0, 1]), None)
    monkeypatch.setattr(files, "read", lambda name, side: pytest.fail(f"{name} is read again"))
    assert torch.equal(photos.grid(np.array([1, 0]), None), first.flip(0))


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
    monkeypatch.setattr(files, "read", lambda name, side: reads.append(name) or first.maps)
    again = MapCache(encoder, files, names, tmp_path / "maps")
    assert not reads and np.array_equal(again.maps, first.maps)
    with torch.no_grad():
        encoder.backbone.head.weight += 1  # above the maps
    MapCache(encoder, files, names, tmp_path / "maps")
    assert not reads


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
            MapCache(encoder, files, ["1.png"], tmp_path / "maps").maps for files in places
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
    torch.testing.assert_close(photos.grid(np.array([0]), None), expected, atol=0.03, rtol=0.05)


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
    plain = photos.grid(np.array([2]), None)
    assert plain.shape == (1, 4, encoder.channels) and expected.abs().max() > 0.5
    torch.testing.assert_close(plain, expected[:1], atol=0.03, rtol=0.05)  # bf16
    assert (expected[0] - expected[1]).abs().max() > 0.2  # so the test can tell them apart
    mirrored = photos.cache.read(np.array([2]), np.array([True]), (0, 0, 0)).float()
    torch.testing.assert_close(
        mirrored.flatten(2).transpose(1, 2), expected[1:], atol=0.03, rtol=0.05
    )
    with torch.no_grad():
        encoder.backbone.head.weight += 1
    assert not np.array_equal(
        CachedPhotos(encoder, files, examples, tmp_path, True).cache.maps, photos.cache.maps
    )


def test_mixup_lays_each_photo_over_the_one_before(album: Album, tmp_path: Path) -> None:
    recipe = album.recipe(tmp_path / "run", objective="words", tune="nothing", mixup=0.7, seed=3)
    stage = Stage(recipe, Share())
    model = stage.model.eval()
    stage.photos.flips[:] = False
    photos = stage.dealt[stage.order.at(2)]
    part = np.random.default_rng([3, 2, 0]).beta(0.7, 0.7)
    grids = stage.photos.grid(photos, None)
    targets = torch.from_numpy(attribute_targets(stage.examples, model.attributes))[photos]
    expected = 0.0
    for i in range(len(photos)):
        grid = part * grids[i] + (1 - part) * grids[i - 1]
        target = part * targets[i] + (1 - part) * targets[i - 1]
        told = model.head(grid[None]).sigmoid()[0]
        expected += F.binary_cross_entropy(told, target, reduction="sum").item()
    [(total, count)] = stage.loss(2).terms
    assert count == 8 and total.item() == pytest.approx(expected, rel=1e-4)


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
    assert not list((tmp_path / "maps").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(CaptionerError, match=r"data\.cache: .*file.* cannot be written"):
        MapCache(encoder, PhotoFiles([photos]), ["good.png"], tmp_path / "file" / "maps")
