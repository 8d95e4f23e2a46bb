"""Flickr8k and Flickr30k downloads in, both official layouts, alone and joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from captioner.datasets.captions import read_references
from captioner.errors import CaptionerError
from captioner.training.data import PhotoFiles
from data.prepare_coco import prepare_coco
from data.prepare_flickr import prepare_flickr
from tests.data.official import FLICKR8K, FLICKR30K, captions, make_coco, make_flickr, packed, text

SPLITS = ("train", "val", "test")
ONLY_30K = FLICKR30K.keys() - {"1001773457", "1003163366"}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("official")
    return {
        "flickr8k": make_flickr(folder / "flickr8k", "flickr8k", official=True),
        "flickr30k": make_flickr(folder / "flickr30k", "flickr30k", official=True),
    }


def names(output: Path, split: str, source: str) -> set[str]:
    photos = read_references(output / f"captions_{split}.json", source=source)
    return {Path(photo.file_name).stem for photo in photos}


def files(output: Path) -> dict[str, bytes]:
    found = [*output.glob("captions_*.json"), *output.glob("*/*.tar"), *output.glob("text/*")]
    return {str(file.relative_to(output)): file.read_bytes() for file in found}


@pytest.mark.parametrize(("source", "photos"), [("flickr8k", FLICKR8K), ("flickr30k", FLICKR30K)])
def test_photos_and_captions_of_the_official_files(
    downloads: dict[str, Path], tmp_path: Path, source: str, photos: dict[str, str]
) -> None:
    prepare_flickr(source, downloads[source], tmp_path, workers=1)
    pictures = packed(tmp_path)
    for split, side in zip(SPLITS, (288, 320, 352), strict=True):
        read = read_references(tmp_path / f"captions_{split}.json", source=source)
        wanted = {name for name, of in photos.items() if of == split}
        assert {photo.file_name for photo in read} == {f"{source}/{name}.webp" for name in wanted}
        for photo in read:
            assert list(photo.captions) == captions(Path(photo.file_name).stem)
            assert min(pictures[photo.file_name].size) == min(side, 333 + list(photos).index(
                Path(photo.file_name).stem
            ))  # fmt: skip
    assert len(pictures) == len(photos)  # none of those in no list


@pytest.mark.parametrize("source", ["flickr8k", "flickr30k"])
def test_karpathys_files_give_the_same(
    downloads: dict[str, Path], tmp_path: Path, source: str
) -> None:
    prepare_flickr(source, downloads[source], tmp_path / "official", workers=1)
    karpathy = make_flickr(tmp_path / "download", source, official=False)
    prepare_flickr(source, karpathy, tmp_path / "karpathy", workers=1)
    assert files(tmp_path / "official") == files(tmp_path / "karpathy")


@pytest.mark.parametrize("order", [("flickr8k", "flickr30k"), ("flickr30k", "flickr8k")])
def test_flickr30k_gives_way_to_flickr8k(
    downloads: dict[str, Path], tmp_path: Path, order: tuple[str, str]
) -> None:
    for source in order:
        prepare_flickr(source, downloads[source], tmp_path, workers=1)
    for split in SPLITS:
        eight = {name for name, of in FLICKR8K.items() if of == split}
        thirty = {name for name in ONLY_30K if FLICKR30K[name] == split}
        assert names(tmp_path, split, "flickr8k") == eight
        assert names(tmp_path, split, "flickr30k") == thirty


def test_no_sentence_of_a_test_photo_becomes_text(
    downloads: dict[str, Path], tmp_path: Path
) -> None:
    """Flickr30k's training photo 1003163366 is in the test split of Flickr8k."""
    prepare_flickr("flickr30k", downloads["flickr30k"], tmp_path, workers=1, limit=1)
    prepare_flickr("flickr8k", downloads["flickr8k"], tmp_path, workers=1, limit=1)
    assert text(tmp_path, "flickr30k") == captions("10002456")
    assert text(tmp_path, "flickr8k") == captions("1001773457_577c3a7d70")


def test_all_three_together(downloads: dict[str, Path], tmp_path: Path) -> None:
    output = tmp_path / "out"
    prepare_coco(make_coco(tmp_path / "coco"), output, workers=1)
    for source, folder in downloads.items():
        prepare_flickr(source, folder, output, workers=1)
    places = PhotoFiles([output / "photos"])  # as training looks for them
    for split in SPLITS:
        photos = read_references(output / f"captions_{split}.json")
        assert {photo.source for photo in photos} == {"coco", "flickr8k", "flickr30k"}
        assert len({photo.id for photo in photos}) == len(photos)
        assert all(places.read(photo.file_name, 32).shape == (32, 32, 3) for photo in photos)
    before = files(output)
    prepare_flickr("flickr8k", downloads["flickr8k"], output, workers=1)
    assert files(output) == before


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    folder = make_flickr(tmp_path / "d", "flickr8k", official=True)
    (folder / "text" / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(CaptionerError, match=r"holds no Flickr_8k\.devImages\.txt; .*text\.zip"):
        prepare_flickr("flickr8k", folder, tmp_path / "out")


def test_missing_captions_are_named(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match=r"holds no dataset_flickr30k\.json; .*karpathy"):
        prepare_flickr("flickr30k", tmp_path, tmp_path / "out")


def test_lists_of_another_collection_are_refused(tmp_path: Path) -> None:
    folder = make_flickr(tmp_path / "d", "flickr8k", official=True)
    for split in ("train", "dev", "test"):
        (folder / "text" / f"Flickr_8k.{split}Images.txt").write_text("1_2.jpg\n")
    with pytest.raises(CaptionerError, match="have no photo in common"):
        prepare_flickr("flickr8k", folder, tmp_path / "out")


def test_photos_of_another_collection_are_refused(tmp_path: Path) -> None:
    folder = make_flickr(tmp_path / "d", "flickr8k", official=False)
    file = folder / "dataset_flickr8k.json"
    file.write_text(file.read_text().replace("1000268201_693b08cb0e.jpg", "holiday.jpg"))
    with pytest.raises(CaptionerError, match=r"holiday\.jpg: is no photo of Flickr's"):
        prepare_flickr("flickr8k", folder, tmp_path / "out")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match="there is no such folder"):
        prepare_flickr("flickr8k", tmp_path / "nothing", tmp_path / "out")
