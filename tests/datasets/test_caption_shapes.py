"""Captions in the shapes that other programs write, each read as what it says."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from captioner.datasets.captions import (
    CaptionedPhoto,
    Names,
    brief,
    photo_id,
    read_captioned,
    read_references,
)
from captioner.errors import CaptionerError

TWO = [
    CaptionedPhoto("a.jpg", "a.jpg", ("A dog, a cat.", "A dog")),
    CaptionedPhoto("b.jpg", "b.jpg", ("A car",)),
]
NUMBERED = [CaptionedPhoto(1, "1", ("A dog.", "Dogs.")), CaptionedPhoto(2, "2", ("A cat.",))]


def write(folder: Path, name: str, content: Any, encoding: str = "utf-8") -> Path:
    path = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "content",
    [
        'image,caption,split\na.jpg,"A dog, a cat.",test\na.jpg,A dog,test\nb.jpg,A car,test\n',
        'split,Caption,File Name\ntest,"A dog, a cat.",a.jpg\ntest,A dog,a.jpg\ntest,A car,b.jpg\n',
        "id;file;text\n1;a.jpg;A dog, a cat.\n2;a.jpg;A dog\n3;b.jpg;A car\n",
        "path\tsentence\na.jpg\tA dog, a cat.\na.jpg\tA dog\nb.jpg\tA car\n",
        "image_name| comment_number| comment\na.jpg| 0| A dog, a cat.\na.jpg| 1| A dog\n"
        "b.jpg| 0| A car\n",
        'image,caption_0,caption_1\na.jpg,"A dog, a cat.",A dog\nb.jpg,A car,\n',
        'image,raw,split\na.jpg,"[""A dog, a cat."", ""A dog""]",test\nb.jpg,"[""A car""]",test\n',
    ],
)
def test_tables_by_the_names_of_their_columns(tmp_path: Path, content: str) -> None:
    photos = read_references(write(tmp_path, "t.csv", content), tell=lambda note: None)
    assert [photo.captions for photo in photos] == [photo.captions for photo in TWO]
    assert [photo.file_name for photo in photos] == ["a.jpg", "b.jpg"]
    rows = content.replace("\n", "\r\n")
    assert read_references(write(tmp_path, "t.txt", rows), tell=lambda note: None) == photos


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks_say_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "t.csv", "image,caption\nGröße.jpg,Ein café.\n", encoding)
    assert read_references(path) == [CaptionedPhoto("Größe.jpg", "Größe.jpg", ("Ein café.",))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,caption\na.jpg,A dog, a cat.\n", "line 2 has 3 cells, and the header has 2"),
        (
            "image,caption,split\na.jpg,A dog,test\nb.jpg,A cat\n",
            "line 3 has 2 cells, and the header has 3",
        ),
        ('image,caption\na.jpg,"A\ndog"\nb.jpg,"A cat\n', "line 4 cannot be read as a table's row"),
        ("image_name| comment_number| comment\na.jpg| 4   A dog\n", "line 2 has 2 cells"),
        (
            "image,split\na.jpg,test\n",
            "which column holds the caption? Call it caption; it has image,",
        ),
        ("caption,split\nA dog,test\n", "which column holds the photo?"),
        ("image,caption,caption\na,b,c\n", "its header names the column 'caption' twice"),
        ("image,caption\n,A dog\n", "line 2 needs an 'image' or 'image_id'"),
    ],
)
def test_wrong_tables(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(CaptionerError) as raised:
        read_references(write(tmp_path, "t.csv", content))
    assert message in str(raised.value)


def test_a_caption_over_two_lines_and_quotes_in_tab_separated_text(tmp_path: Path) -> None:
    path = write(tmp_path, "t.csv", 'image,caption\na.jpg,"A bowl\nof fruit"\nb.jpg,A giraffe\n')
    assert [photo.captions for photo in read_references(path)] == [
        ("A bowl\nof fruit",),
        ("A giraffe",),
    ]
    path = write(tmp_path, "t.tsv", 'image\tcaption\na.jpg\t"Stop" on a sign\nb.jpg\tA "big" dog\n')
    assert [photo.captions for photo in read_references(path)] == [
        ('"Stop" on a sign',),
        ('A "big" dog',),
    ]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_line_feeds_end_lines(tmp_path: Path, sign: str) -> None:
    caption, other = f"A dog{sign}on grass.", "A cat."
    lines = [{"image": "a.jpg", "caption": caption}, {"image": "b.jpg", "caption": other}]
    text = "\n".join(json.dumps(line, ensure_ascii=sign < " ") for line in lines)
    for path in (
        write(tmp_path, "c.jsonl", text),
        write(tmp_path, "c.token", f"a.jpg#0\t{caption}\nb.jpg#0\t{other}\n"),
        write(tmp_path, "c.csv", f"image,caption\na.jpg,{caption}\nb.jpg,{other}\n"),
    ):
        assert [photo.captions for photo in read_references(path)] == [(caption,), (other,)]
        assert [row.captions for row in read_captioned(path)] == [(caption,), (other,)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.json", {"1": ["A dog.", "Dogs."], "2": "A cat."}),
        (
            "gts.json",
            {"1": [{"caption": "A dog."}, {"caption": "Dogs."}], "2": [{"caption": "A cat."}]},
        ),
        (
            "list.json",
            [
                {"image_id": "000000000001", "caption": ["A dog.", "Dogs."]},
                {"image_id": 2.0, "caption": "A cat."},
            ],
        ),
        (
            "lines.json",
            '{"img_id": 1, "caption": "A dog."}\n{"img_id": "1", "caption": "Dogs."}\n'
            '{"img_id": 2, "caption": "A cat."}',
        ),
        ("ids.csv", "image_id,caption\n1.0,A dog.\n1.0,Dogs.\n2.0,A cat.\n"),
        (
            "nofile.json",
            {
                "images": [{"id": 1}, {"id": 2}],
                "annotations": [
                    {"id": 7, "image_id": "1", "caption": "A dog."},
                    {"id": 8, "image_id": 1, "caption": "Dogs."},
                    {"id": 9, "image_id": "000000000002", "caption": "A cat."},
                ],
            },
        ),
        (
            "noimages.json",
            {
                "annotations": [
                    {"id": 7, "image_id": 1, "caption": "A dog."},
                    {"id": 8, "image_id": 1, "caption": "Dogs."},
                    {"id": 9, "image_id": 2, "caption": "A cat."},
                ]
            },
        ),
        (
            "textcaps.json",
            {
                "data": [
                    {"image_id": 1, "caption_str": "A dog.", "reference_strs": ["A dog.", "Dogs."]},
                    {"image_id": 1, "caption_str": "Dogs.", "reference_strs": ["A dog.", "Dogs."]},
                    {"image_id": 2, "caption_str": "A cat.", "reference_strs": ["A cat."]},
                ]
            },
        ),
    ],
)
def test_lists_dictionaries_and_mixed_ids(tmp_path: Path, name: str, content: Any) -> None:
    assert read_references(write(tmp_path, name, content)) == NUMBERED


def test_lavis_lists_by_file_and_hugging_face_metadata(tmp_path: Path) -> None:
    entries = [
        {"image": "a.jpg", "caption": ["A dog, a cat.", "A dog"]},
        {"image": "b.jpg", "caption": "A car"},
    ]
    assert read_references(write(tmp_path, "val.json", entries)) == TWO
    lines = [
        {"file_name": "a.jpg", "text": "A dog, a cat."},
        {"file_name": "a.jpg", "text": "A dog"},
        {"file_name": "b.jpg", "text": "A car"},
    ]
    text = "\n".join(map(json.dumps, lines))
    assert read_references(write(tmp_path, "metadata.jsonl", text)) == TWO
    packed = tmp_path / "metadata.jsonl.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_references(packed) == TWO
    assert [(row.id, row.captions) for row in read_captioned(packed)] == [
        ("a.jpg", ("A dog, a cat.",)),
        ("a.jpg", ("A dog",)),
        ("b.jpg", ("A car",)),
    ]


def test_parquet_with_pictures_in_it(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {
            "image": {"bytes": b"\xff\xd8", "path": "a.jpg"},
            "captions": ["A dog, a cat.", "A dog"],
            "domain": "in",
        },
        {"image": {"bytes": b"\xff\xd8", "path": None}, "captions": ["A car"], "domain": "out"},
    ]
    path = tmp_path / "hf.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    photos = read_references(path)
    assert photos == [TWO[0], CaptionedPhoto("hf.parquet#1", "hf.parquet#1", ("A car",))]
    assert [photo.fields["domain"] for photo in photos] == ["in", "out"]
    (tmp_path / "no.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(CaptionerError, match="is no Parquet file"):
        read_references(tmp_path / "no.parquet")


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "domain": "near-domain"}],
        "annotations": [
            {"image_id": 1, "caption": "A dog."},
            {"image_id": 1, "caption": None},
            {"image_id": 99, "caption": "A stray caption."},
            {"image_id": 1, "caption": "Quality issues are too severe.", "is_precanned": True},
            {"image_id": 1, "caption": "Spam", "is_rejected": True},
        ],
    }
    notes: list[str] = []
    (photo,) = read_references(write(tmp_path, "captions.json", content), tell=notes.append)
    assert photo == CaptionedPhoto(1, "a.jpg", ("A dog.",))
    assert photo.fields["domain"] == "near-domain"
    assert notes == [
        "captions.json: captions left out (1), of photos that it does not list: 99",
        "captions.json: captions are empty and left out (1), of photo 1",
        "captions.json: captions are rejected or precanned and left out (2), of photo 1, 1",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 20_000, "its brackets are nested too deep"),
        ('[{"image_id": ' + "1" * 5000 + ', "caption": "A dog."}]', "too many digits"),
        (
            [{"image_id": [1], "caption": "A dog."}],
            "entry 1 has an id that is neither a number nor a name",
        ),
        ([{"image_id": {"a": 1}, "caption": "A dog."}], "neither a number nor a name"),
        ([{"image_id": 10**400, "caption": "A dog."}], "neither a number nor a name"),
        ([{"image_id": True, "caption": "A dog."}], "neither a number nor a name"),
        ([{"image": "\ud800.jpg", "caption": "A dog."}], "half a character"),
        ([{"image": "a.jpg", "caption": "A dog \udc00."}], "half a character"),
        ([{"image": ["a.jpg"], "caption": "A dog."}], "file name that is no text"),
        ([{"image": "a.jpg", "caption": 7}], "entry 1: its caption is a number, not a text"),
        ([{"image": "a.jpg", "caption": "dog " * 10_000}], "its caption has 40,000 characters"),
        ([{"image": "a.jpg", "label": "dog"}], "entry 1 needs a 'caption'; it has image, label"),
        ({"foo": {}, "bar": 1}, "it has foo, bar"),
        (
            [{"image": "a.jpg", "caption": "A dog."}, None],
            "entry 2 is null, where an object",
        ),
        ({"images": {"a": 1}}, "its 'images' are no list"),
    ],
)
def test_hostile_content_is_one_sentence(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path, "hostile.json", content)
    for read in (read_references, read_captioned):
        with pytest.raises(CaptionerError) as raised:
            read(path)
        assert message in str(raised.value) or (read is read_captioned and "images" in content)
        assert len(str(raised.value)) < 600 and "\n" not in str(raised.value)


def test_ids() -> None:
    assert [photo_id(value) for value in (1, "1", 1.0, "1.0", "000000000001", " 1 ")] == [1] * 6
    assert (
        photo_id("0001") == "0001" and photo_id("coco_1") == "coco_1" and photo_id("1.5") == "1.5"
    )
    assert [photo_id(value) for value in (1.5, float("nan"), None, "", [], False)] == [None] * 6


def test_names_of_one_photo() -> None:
    names: Names[int] = Names()
    composed = unicodedata.normalize("NFC", "photos/Größe.jpg")
    for number, path in enumerate(
        [composed, "P2.JPG", "val2014/COCO_val2014_000000000042.jpg", "a/1.jpg", "b/1.jpg"]
    ):
        names.add(path, number)
    assert names.find(unicodedata.normalize("NFD", composed)) == 0
    assert names.find(unicodedata.normalize("NFD", "Größe.jpg")) == 0
    assert names.find("p2.jpg") == 1 and names.find("x\\p2") == 1
    assert names.find("42") == 2 and names.find("000000000042.jpg") == 2
    assert (
        names.find("b/1.jpg") == 4 and names.find("1.jpg") is None and names.find("c.jpg") is None
    )


def test_parquet_whose_rows_name_photos_by_id(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"image_id": "1", "caption": text} for text in ("A dog.", "Dogs.")]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert read_references(tmp_path / "rows.parquet") == NUMBERED[:1]


def test_a_table_with_carriage_returns_alone(tmp_path: Path) -> None:
    content = 'image,caption\ra.jpg,"A dog, a cat."\ra.jpg,A dog\rb.jpg,A car\r'
    assert read_references(write(tmp_path, "old.csv", content)) == TWO


def test_references_given_as_results(tmp_path: Path) -> None:
    content = {"images": [{"filename": "a.jpg", "sentences": [{"raw": "A dog."}]}]}
    with pytest.raises(CaptionerError, match="neither a list of captions, nor captions by photo"):
        read_captioned(write(tmp_path, "dataset.json", content))


def test_names_in_messages() -> None:
    assert "\x1b" not in brief("a\x1b[31mb\u2028") and "a" in brief("a\x1b[31mb")
    assert len(brief("x" * 5000)) < 320


def test_a_sample_of_files_broken_at_random() -> None:
    """The benchmark does ten thousand; every reading ends in captions or in one sentence."""
    script = Path(__file__).parents[2] / "benchmarks" / "mutated_captions.py"
    command = [sys.executable, str(script), "--files", "150", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("150 files: ")
