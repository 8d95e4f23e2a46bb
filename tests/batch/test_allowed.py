"""Sentences that are withheld, photos that are large or lack their end: in every format."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from captioner.images import MAX_PIXELS
from tests.batch import process


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    return tmp_path


def caption(folder: Path, *arguments: object) -> tuple[int | None, str]:
    code = process.run(["caption", *arguments], folder)
    return code, (folder / "said.txt").read_text()


@pytest.mark.parametrize("format", ["text", "jsonl", "json", "csv", "tsv", "parquet", "coco"])
def test_below_the_least_confidence_rows_have_the_reason(photo: Path, format: str) -> None:
    out = photo / "out"
    arguments = ["a.png", "--format", format, "-o", "out", "--min-confidence"]
    assert caption(photo, *arguments, "0.3")[0] == 0
    sure = out.read_bytes()
    code, said = caption(photo, *arguments, "0.4", "--overwrite")
    assert code == 0 and "captioner: a.png: unsure\n" in said  # as asked, so no failure
    assert "0 photos captioned, 1 unsure; " in said
    readers: dict[str, Any] = {
        "jsonl": lambda path: json.loads(path.read_text()),
        "json": lambda path: json.loads(path.read_text())[0],
        "csv": lambda path: next(csv.DictReader(path.open())),
        "tsv": lambda path: next(csv.DictReader(path.open(), delimiter="\t")),
        "parquet": lambda path: pyarrow.parquet.read_table(path).to_pylist()[0],
    }
    if format in readers:
        row = readers[format](out)
        assert row["error"] == "unsure" and not row["caption"] and row["path"] == "a.png"
    else:
        assert b"photo 40" in sure and b"photo 40" not in out.read_bytes()


@pytest.mark.parametrize("format", ["sidecar", "xmp", "embed"])
def test_below_the_least_confidence_nothing_is_written_to_photos(photo: Path, format: str) -> None:
    before = (photo / "a.png").read_bytes()
    code, said = caption(photo, "a.png", "--format", format, "--min-confidence", "0.9")
    assert code == 0 and "1 unsure" in said
    assert sorted(path.name for path in photo.iterdir()) == ["a.png", "said.txt"]
    assert (photo / "a.png").read_bytes() == before


def test_confidence_is_a_field(photo: Path) -> None:
    fields = ["--fields", "caption,confidence,error", "--format", "jsonl", "-o", "out"]
    caption(photo, "a.png", *fields)
    assert json.loads((photo / "out").read_text())["confidence"] == 0.3
    caption(photo, "a.png", *fields, "--min-confidence", "0.9", "--overwrite")
    row = json.loads((photo / "out").read_text())
    assert (row["caption"], row["confidence"], row["error"]) == (None, 0.3, "unsure")
    _, said = caption(photo, "a.png", *fields, "--skip-existing")
    assert "1 photo captioned" in said  # a sentence that was withheld is none that is there


def test_max_pixels(photo: Path) -> None:
    assert f"{MAX_PIXELS:,}" in caption(photo, "--help")[1]
    assert caption(photo, "a.png", "--max-pixels", 1200)[0] == 0
    code, said = caption(photo, "a.png", "--max-pixels", 1199, "--attention", "maps")
    assert code == 1 and "more than the 1,199 pixels allowed" in said


def test_a_jpeg_without_its_last_bytes(photo: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    Image.fromarray(noise).save(photo / "cut.jpg", quality=90)
    data = (photo / "cut.jpg").read_bytes()
    (photo / "cut.jpg").write_bytes(data[: -len(data) // 20])
    code, said = caption(photo, "cut.jpg")
    assert code == 1 and "cut.jpg: " in said
    code, said = caption(photo, "cut.jpg", "--allow-truncated", "-o", "out.txt")
    assert code == 0 and "400 by 300" in (photo / "out.txt").read_text()
