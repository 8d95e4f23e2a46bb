"""Reference captions in every format, from files as the field hands them round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from captioner.datasets.captions import CaptionedPhoto, read_references
from captioner.errors import CaptionerError

COCO = {
    "images": [
        {"id": 7, "file_name": "coco/7.jpg", "source": "coco"},
        {"id": 9, "file_name": "flickr/9.jpg", "source": "flickr8k"},
        {"id": 8, "file_name": "coco/8.jpg", "source": "coco"},
    ],
    "annotations": [
        {"id": 1, "image_id": 9, "caption": "A dog."},
        {"id": 2, "image_id": 7, "caption": "A cat."},
        {"id": 3, "image_id": 9, "caption": "The dog!"},
        {"id": 4, "image_id": 7, "caption": "  "},
    ],
}
KARPATHY = {
    "dataset": "coco",
    "images": [
        {
            "filepath": "val2014",
            "filename": "COCO_val2014_000000000042.jpg",
            "imgid": 0,
            "cocoid": 42,
            "split": "test",
            "sentences": [
                {"raw": "A shoe rack. ", "tokens": ["a"]},
                {"raw": "Shoes", "tokens": []},
            ],
        },
        {"filename": "b.jpg", "imgid": 1, "split": "restval", "sentences": [{"raw": "A bed."}]},
        {"filename": "c.jpg", "imgid": 2, "split": "train", "sentences": [{"raw": "A car."}]},
    ],
}


def write(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_coco(tmp_path: Path) -> None:
    path = write(tmp_path, "captions.json", COCO)
    assert read_references(path) == [
        CaptionedPhoto(7, "coco/7.jpg", ("A cat.",), "coco"),
        CaptionedPhoto(9, "flickr/9.jpg", ("A dog.", "The dog!"), "flickr8k"),
    ]
    assert [photo.id for photo in read_references(path, source="flickr8k")] == [9]
    everything = read_references(path, need_captions=False)
    assert [photo.id for photo in everything] == [7, 9, 8]


def test_coco_images_without_captions_as_of_the_test_server(tmp_path: Path) -> None:
    path = write(tmp_path, "image_info_test2014.json", {"images": COCO["images"]})
    assert len(read_references(path, need_captions=False)) == 3
    with pytest.raises(CaptionerError, match="no photo in it has a caption"):
        read_references(path)


def test_karpathy_splits(tmp_path: Path) -> None:
    path = write(tmp_path, "dataset_coco.json", KARPATHY)
    name = "val2014/COCO_val2014_000000000042.jpg"
    assert read_references(path, "test") == [
        CaptionedPhoto(42, name, ("A shoe rack.", "Shoes"), "coco", "test")
    ]
    assert [photo.id for photo in read_references(path, "train,restval")] == [1, 2]
    assert len(read_references(path)) == 3
    with pytest.raises(CaptionerError, match="split 'tset': it has restval, test, train"):
        read_references(path, "tset")


def test_flickr_token_file_with_its_official_split(tmp_path: Path) -> None:
    lines = "a.jpg#0\tA dog .\na.jpg#1\tA brown dog .\nb.jpg.1#0\tA cat, #1 .\n"
    path = write(tmp_path, "Flickr8k.token.txt", lines)
    assert read_references(path) == [
        CaptionedPhoto("a.jpg", "a.jpg", ("A dog .", "A brown dog .")),
        CaptionedPhoto("b.jpg.1", "b.jpg.1", ("A cat, #1 .",)),
    ]
    split = write(tmp_path, "Flickr_8k.testImages.txt", "b.jpg.1\nz.jpg\n")
    assert [photo.id for photo in read_references(path, str(split))] == ["b.jpg.1"]


@pytest.mark.parametrize(
    "content",
    [
        'image,caption\na.jpg,"A dog, a cat ."\na.jpg,A dog\nb.jpg,A car\n',
        "image_name| comment_number| comment\na.jpg| 0| A dog, a cat .\na.jpg| 1| A dog\n"
        "b.jpg| 0| A car\n",
    ],
)
def test_flickr_tables(tmp_path: Path, content: str) -> None:
    assert read_references(write(tmp_path, "captions.txt", content)) == [
        CaptionedPhoto("a.jpg", "a.jpg", ("A dog, a cat .", "A dog")),
        CaptionedPhoto("b.jpg", "b.jpg", ("A car",)),
    ]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        {"image": "a.jpg", "caption": "A dog."},
        {"image": "a.jpg", "caption": "A hound."},
        {"file_name": "b.jpg", "id": 5, "captions": ["A cat.", ""], "split": "val"},
    ]
    path = write(tmp_path, "captions.jsonl", "\n\n".join(map(json.dumps, lines)))
    assert read_references(path) == [
        CaptionedPhoto("a.jpg", "a.jpg", ("A dog.", "A hound.")),
        CaptionedPhoto(5, "b.jpg", ("A cat.",), "", "val"),
    ]


def test_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(COCO), encoding="utf-8-sig")
    assert len(read_references(path)) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", '{"images": [}', "not valid JSON at line 1, column 13"),
        ("a.json", "[1, 2]", "entry 1 is a number, where an object"),
        (
            "a.json",
            {"images": [{"file_name": "a"}], "annotations": []},
            "entry 1 of 'images' needs an 'id'; it has file_name",
        ),
        ("a.json", {"images": [], "annotations": []}, "no photo in it has a caption"),
        (
            "a.json",
            {**COCO, "annotations": [{"image_id": n, "caption": "a"} for n in range(20, 29)]},
            "all 9 captions belong to photos it does not list: 20, 21, 22, 23, 24 and 4 more",
        ),
        ("a.json", {"images": [COCO["images"][0]] * 2}, "1 photo ids occur twice: 7"),
        ("a.txt", "", "the file is empty"),
        ("a.txt", "a dog\n", "line 1 is of no known caption format"),
        ("a.txt", "a.jpg#0\tA dog\nb.jpg A cat\n", "line 2 is not 'name.jpg#0<TAB>caption'"),
        ("a.jsonl", '{"image": "a", "caption": "b"}\n{"image"\n', "line 2 is not JSON"),
        ("a.jsonl", '{"image": "a"}\n', "line 1 needs a 'caption'; it has image"),
        (
            "a.jsonl",
            '{"id": 1, "image": "a", "caption": "x"}\n{"id": 1, "image": "b", "caption": "y"}',
            "photo id 1 names two files, a and b",
        ),
    ],
)
def test_bad_files(tmp_path: Path, name: str, content: Any, message: str) -> None:
    with pytest.raises(CaptionerError) as raised:
        read_references(write(tmp_path, name, content))
    assert message in str(raised.value)
    assert str(tmp_path) in str(raised.value)


def test_no_such_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(CaptionerError, match="there is no such file"):
        read_references(tmp_path / "none.json")
    (tmp_path / "photo.json").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(CaptionerError, match="not a text file in UTF-8"):
        read_references(tmp_path / "photo.json")
    with pytest.raises(CaptionerError, match="Is a directory"):
        read_references(tmp_path)
