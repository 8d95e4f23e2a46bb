"""Every format through the command, read back by libraries that know nothing of it."""

import csv
import hashlib
import json
import os
import pickle
import re
from pathlib import Path
from typing import Any, get_args

import pandas
import pyarrow.parquet
import pytest
from PIL import Image
from pycocotools.coco import COCO

from captioner.batch.command import Format, model_name
from captioner.batch.fields import FIELDS
from captioner.batch.formats import FORMATS
from captioner.batch.places import KINDS
from captioner.errors import ImageError
from tests.batch import process

RAY = ("--engine", "ray", "--format", "csv", "-o", "x")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    folder.mkdir()
    for name, size in {"7.jpg": (7, 3), "COCO_val2014_000000000042.jpg": (4, 2)}.items():
        Image.new("RGB", size).save(folder / name)
    Image.new("RGB", (5, 6)).save(folder / 'ü, "x".png')
    (folder / "broken.jpg").write_bytes(b"")
    return tmp_path


NAMES = ["7.jpg", "COCO_val2014_000000000042.jpg", "broken.jpg", 'ü, "x".png']
CAPTIONS = ["A photo 7 by 3.", "A photo 4 by 2.", None, "A photo 5 by 6."]


def run(album: Path, *arguments: object) -> Path:
    assert process.run(["caption", "album", *arguments, "-o", "out"], album) == 1
    return album / "out"


def test_csv(album: Path) -> None:
    frame = pandas.read_csv(run(album, "--format", "csv"))
    assert list(frame.columns) == ["path", "caption", "score", "error"]
    assert list(frame["path"]) == [f"album/{name}" for name in NAMES]
    assert frame["caption"].fillna("").tolist() == [caption or "" for caption in CAPTIONS]
    assert frame["score"].notna().tolist() == [True, True, False, True]
    assert frame["score"].dropna().between(0, 1).all()
    assert frame["error"].notna().tolist() == [False, False, True, False]


def test_parquet(album: Path) -> None:
    fields = "caption,score,words,alternatives,size,bytes,sha256,model,error"
    table = pyarrow.parquet.read_table(run(album, "--format", "parquet", "--fields", fields))
    assert table.column_names == ["path", *fields.split(",")]
    rows = table.to_pylist()
    assert [row["path"] for row in rows] == [f"album/{name}" for name in NAMES]
    assert [row["caption"] for row in rows] == CAPTIONS
    assert rows[0]["words"] == ["a", "photo", "7", "by", "3"]
    assert [other["caption"] for other in rows[0]["alternatives"]] == [
        "Another 0 a photo 7 by 3.",
        "Another 1 a photo 7 by 3.",
    ]
    for row in rows:
        data = (album / row["path"]).read_bytes()
        assert row["bytes"] == len(data)
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["model"] == model_name(None)
    assert [row["size"] for row in rows] == [[7, 3], [4, 2], None, [5, 6]]
    assert [row["error"] is None for row in rows] == [True, True, False, True]


def test_coco_is_what_the_evaluation_reads(album: Path) -> None:
    rows = json.loads(run(album, "--format", "coco").read_text())
    assert rows == [
        {"image_id": "album/7.jpg", "caption": "A photo 7 by 3."},
        {"image_id": 42, "caption": "A photo 4 by 2."},
        {"image_id": 'album/ü, "x".png', "caption": "A photo 5 by 6."},
    ]
    truth = COCO()
    truth.dataset = {"images": [{"id": row["image_id"]} for row in rows], "annotations": []}
    truth.createIndex()
    assert len(truth.loadRes(str(album / "out")).anns) == 3


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """Photos whose names hold one number, and one that is COCO's for sure."""
    for number, name in enumerate(
        ("1.jpg", "a/0001.jpg", "a/000000000001.jpg", "b/000000000001.jpg", "b/000000000002.jpg")
    ):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (number + 1, 5)).save(tmp_path / "in" / name)
    return tmp_path


def test_coco_ids_are_numbers_only_where_one_photo_has_them(numbered: Path) -> None:
    arguments = ["caption", "in", "--format", "coco", "-o", "out"]
    assert process.run(arguments, numbered) == 0
    ids = [row["image_id"] for row in json.loads((numbered / "out").read_text())]
    paths = ("1.jpg", "a/000000000001.jpg", "a/0001.jpg", "b/000000000001.jpg")
    assert ids == [*(f"in/{path}" for path in paths), 2]
    said = (numbered / "said.txt").read_text()
    assert "1: in/a/000000000001.jpg, in/b/000000000001.jpg" in said
    assert "image_id is the path of 2 of 5 photos" in said


def test_a_new_photo_with_a_number_that_is_there_gets_its_caption(numbered: Path) -> None:
    base = ["caption", "--format", "coco", "-o", "out"]
    assert process.run([*base, "in/a/000000000001.jpg", "in/1.jpg"], numbered) == 0
    assert process.run([*base, "in", "--skip-existing"], numbered) == 0
    assert "4 photos captioned, 1 skipped" in (numbered / "said.txt").read_text()
    rows = {r["image_id"]: r["caption"] for r in json.loads((numbered / "out").read_text())}
    assert rows == {
        "in/1.jpg": "A photo 1 by 5.",
        "in/a/0001.jpg": "A photo 2 by 5.",
        "in/a/000000000001.jpg": "A photo 3 by 5.",
        "in/b/000000000001.jpg": "A photo 4 by 5.",
        2: "A photo 5 by 5.",
    }


def test_coco_ids_by_file_name_from_annotations(numbered: Path) -> None:
    images = [
        {"id": 7, "file_name": "1.jpg"},
        {"id": 8, "file_name": "a/0001.jpg"},
        {"id": 9, "file_name": "000000000002.jpg"},
    ]
    (numbered / "ann.json").write_text(json.dumps({"images": images, "annotations": []}))
    arguments = ["caption", "in", "--format", "coco", "-o", "out", "--annotations", "ann.json"]
    assert process.run(arguments, numbered) == 1
    rows = json.loads((numbered / "out").read_text())
    assert [row["image_id"] for row in rows] == [7, 8, 9]
    said = (numbered / "said.txt").read_text()
    assert "in/a/000000000001.jpg: ann.json names no such photo" in said
    images.append({"id": 10, "file_name": "000000000001.jpg"})
    (numbered / "ann.json").write_text(json.dumps({"images": images, "annotations": []}))
    assert process.run([*arguments, "--overwrite"], numbered) == 1
    said = (numbered / "said.txt").read_text()
    assert "several photos have one image_id (10: in/a/0000" in said
    assert len(json.loads((numbered / "out").read_text())) == 3


def test_jsonl_with_chosen_fields_in_their_order(album: Path) -> None:
    out = run(album, "--format", "jsonl", "--fields", "error, size,path,caption,caption")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [list(row) for row in rows] == [
        ["error", "size", "path", "caption"],
    ] * 4
    assert [(row["error"] != "", row["caption"] is None, row["size"] is None) for row in rows] == [
        (False, False, False),
        (False, False, False),
        (True, True, True),
        (False, False, False),
    ]


def test_text_with_fields(album: Path) -> None:
    lines = run(album, "--fields", "score,size,words").read_text().splitlines()
    path, score, *others = lines[0].split("\t")
    assert (path, others) == ("album/7.jpg", ["7x3", "a photo 7 by 3"])
    assert 0 <= float(score) <= 1
    assert len(lines) == 3


@pytest.mark.parametrize("format", ["text", "jsonl", "csv", "parquet", "coco"])
def test_text_around_and_lengths_everywhere(album: Path, format: str) -> None:
    arguments = ["--before", "photo of ", "--after", ", 4k", "--min-words", 2, "--max-words", 9]
    out = run(album, "--format", format, *arguments)
    text = out.read_bytes().decode("utf-8", "replace")
    assert "photo of A photo 7 by 3., 4k" in text


@pytest.mark.parametrize("format", ["text", "jsonl", "csv", "parquet", "coco"])
def test_paths_with_any_bytes_in_every_format(tmp_path: Path, format: str) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9\n.png"
    try:
        Image.new("RGB", (5, 6)).save(os.fsdecode(raw))
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    arguments = ["caption", str(tmp_path), "--format", format, "-o", "out"]
    (tmp_path / "elsewhere").mkdir()
    assert process.run(arguments, tmp_path / "elsewhere") == 0
    assert (tmp_path / "elsewhere" / "out").stat().st_size > 0
    if format == "csv":
        with open(tmp_path / "elsewhere" / "out", errors="surrogateescape", newline="") as file:
            assert os.fsencode(list(csv.reader(file))[1][0]) == raw


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fields", "caption,colour"], "no field 'colour'; choose from path, caption, score"),
        (["--format", "parquet"], "needs a file: --output"),
        (["--format", "coco"], "needs a file: --output"),
        (["--format", "coco", "-o", "x", "--fields", "score"], "fields of its own"),
        (["--resume"], "--resume needs the --output"),
        (["--skip-existing"], "--skip-existing needs the --output"),
        (
            ["--skip-existing", "--format", "csv", "-o", "x", "--fields", "size,error"],
            "--skip-existing goes by the captions in the file; add caption to --fields",
        ),
        (
            ["--skip-existing", "-o", "x", "--fields", "score,caption"],
            "a file of --format text does not say which fields it has; leave out --fields",
        ),
        (["--resume", "-o", "x", "--attention", "y"], "--attention"),
        (
            ["--min-words", "9", "--max-words", "8"],
            "--min-words must not exceed --max-words (8), not 9",
        ),
        (["--top", "3", "--beam", "2"], "--top 3 needs --beam 3"),
        (["--style", "haiku"], "--style haiku: the model's styles are coco, flickr8k"),
        (["-o", "s3://my-photos/rows.txt"], "is an address; write to this machine's disk"),
        (
            ["--format", "xml"],
            "'xml' is not one of 'text', 'jsonl', 'json', 'csv', 'tsv'",
        ),
        (["--fields", ""], "no field ''; choose from path"),
        (["--engine", "spark"], "'spark' is not one of 'local', 'ray'"),
        (["--engine", "ray", "-o", "x"], "--engine ray writes jsonl, csv, parquet, not text"),
        (["--engine", "ray", "--format", "csv"], "a folder of parts: name it with --output"),
        ([*RAY, "--fail-fast"], "neither --skip-existing nor --attention nor --fail-fast"),
        (
            [*RAY, "--min-workers", "3", "--max-workers", "2"],
            "--min-workers 3 is more than --max-workers 2",
        ),
        (["--address", "host:6379"], "--address is for --engine ray"),
        (["--min-workers", "2"], "--min-workers is for --engine ray"),
        (["--part-size", "20"], "--part-size is for --engine ray"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_done(
    album: Path, arguments: list[Any], message: str
) -> None:
    assert process.run(["caption", "album", *arguments], album) == 2
    assert message in " ".join((album / "said.txt").read_text().split())
    assert sorted(os.listdir(album)) == ["album", "said.txt"]


@pytest.mark.parametrize(
    ("given", "output"),
    [("t.csv", "t.csv"), ("*.csv", "./t.csv"), ("l.txt", "l.txt"), ("link.csv", "t.csv")],
)
def test_an_output_never_takes_an_inputs_place(album: Path, given: str, output: str) -> None:
    (album / "t.csv").write_text("image\nalbum/7.jpg\n")
    (album / "l.txt").write_text("album/7.jpg\n")
    (album / "link.csv").symlink_to("t.csv")
    before = {path.name: path.read_bytes() for path in album.glob("?.*")}
    for more in ([], ["--overwrite"], ["--skip-existing"]):
        arguments = ["caption", "album/7.jpg", given, "--format", "csv", "-o", output, *more]
        assert process.run(arguments, album) == 2
        assert f"{Path(output)} is also an input" in (album / "said.txt").read_text()
    assert {path.name: path.read_bytes() for path in album.glob("?.*")} == before


def test_the_help_names_every_field_and_format(album: Path) -> None:
    assert process.run(["caption", "--help"], album) == 0
    words = set(re.findall(r"\w+", (album / "said.txt").read_text()))
    assert {*FIELDS, *FORMATS, *KINDS} <= words
    assert {*get_args(Format)} == {*FORMATS, "coco", *KINDS}


def test_a_table_without_the_column_is_said_before_the_first_photo(album: Path) -> None:
    (album / "t.csv").write_text("id,image\n1,album/7.jpg\n")
    arguments = ["caption", "album", "t.csv", "--column", "photo", "-o", "rows"]
    assert process.run(arguments, album) == 1
    said = (album / "said.txt").read_text()
    assert said == "captioner: t.csv: has no column 'photo'; it has id, image.\n"
    assert not (album / "rows").exists()


def test_fail_fast_stops_and_the_mended_photo_is_done_on_resuming(album: Path) -> None:
    arguments = ["caption", "album", "--fail-fast", "--batch-size", 1, "-o", "rows"]
    assert process.run(arguments, album) == 1
    said = (album / "said.txt").read_text()
    assert "album/broken.jpg: is empty" in said and "--resume" in said
    assert len((album / "rows.partial").read_text().splitlines()) == 2
    Image.new("RGB", (1, 1)).save(album / "album" / "broken.jpg")
    assert process.run([*arguments, "--resume"], album) == 0
    assert len((album / "rows").read_text().splitlines()) == 4


def test_many_failures_are_summed_up_by_reason(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.jpg").write_bytes(b"" if number % 3 else b"text")
    (tmp_path / "list.txt").write_text("".join(f"{n}.jpg\n" for n in range(90)))
    assert process.run(["caption", "list.txt"], tmp_path) == 1
    said = [line.split() for line in (tmp_path / "said.txt").read_text().splitlines()]
    assert [" ".join(line[1:]) for line in said[-3:]] == [
        "40 is empty",
        "30 there is no such file",
        "20 holds text, not a picture",
    ]
    assert said[-4][:6] == ["captioner:", "0", "photos", "captioned,", "90", "failed;"]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["notes.md"], ["notes.md: holds text, not a picture; …"]),
        (["empty"], ["empty: no pictures in this folder"]),
        (
            ["notes.md", "album/7.jpg"],
            ["notes.md: holds text, not a picture; …", "1 photo captioned, 1 failed; …"],
        ),
        (
            ["gone.jpg", "empty"],
            [
                "gone.jpg: there is no such file; check the name",
                "empty: no pictures in this folder",
                "0 photos captioned, 1 failed, 1 input without pictures; …",
                "       1 there is no such file",
                "       1 no pictures in this folder",
            ],
        ),
    ],
)
def test_nothing_is_said_twice(album: Path, inputs: list[str], said: list[str]) -> None:
    (album / "empty").mkdir()
    (album / "notes.md").write_text("Dear diary")
    assert process.run(["caption", *inputs], album) == 1
    lines = (album / "said.txt").read_text().splitlines()
    lines = [line.removeprefix("captioner: ") for line in lines if line.startswith("captioner: ")]
    for line, expected in zip(lines, said, strict=True):
        assert line.startswith(expected[:-1]) if expected.endswith("…") else line == expected
    assert ("photos/s" in lines[-1]) == ("1 photo captioned" in lines[-1])


def test_the_pictures_of_attention_are_no_photos(album: Path) -> None:
    arguments = ["caption", "album/7.jpg", "--attention", "album", "-o", "rows", "--overwrite"]
    assert process.run(arguments, album) == 0
    assert (album / "album" / "7.attention.png").exists()
    before = set(os.listdir(album / "album"))
    assert process.run(["caption", "album", *arguments[2:]], album) == 1
    assert "attention" not in (album / "rows").read_text()
    assert process.run(["caption", "album/*.attention.png"], album) == 1
    assert "no pictures" in (album / "said.txt").read_text()
    assert process.run(["caption", "album/7.attention.png"], album) == 0
    new = set(os.listdir(album / "album")) - before
    assert not any(name.count("attention") > 1 for name in new)


def test_an_image_error_comes_through_a_process_pool_as_it_was() -> None:
    error = pickle.loads(pickle.dumps(ImageError("a: b.jpg", "is empty; copy it again")))
    assert type(error) is ImageError and str(error) == "a: b.jpg: is empty; copy it again"
    assert (error.path, error.reason) == ("a: b.jpg", "is empty; copy it again")


def test_a_full_standard_output(album: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    assert process.run(["caption", "album", "-o", "/dev/full"], album) == 1
    said = (album / "said.txt").read_text()
    assert "/dev/full: cannot be written" in said and "Traceback" not in said


def test_no_line_of_json_ends_within_a_name(tmp_path: Path) -> None:
    """Python's str.splitlines, pandas and others end lines at more than a line feed."""
    names = ["a\u2028b.png", "c\u2029d.png", "e\x85f.png", "g\x9b31mh.png"]
    for name in names:
        Image.new("RGB", (4, 5)).save(tmp_path / name)
    arguments = ["caption", ".", "--format", "jsonl", "-o", "out", "--before", "\u2028"]
    assert process.run(arguments, tmp_path) == 0
    text = (tmp_path / "out").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 4 and "\x9b" not in text
    rows = [json.loads(line) for line in text.splitlines()]
    assert sorted(row["path"] for row in rows) == sorted(f"./{name}" for name in names)
    assert rows[0]["caption"] == "\u2028A photo 4 by 5."
    raw = [json.dumps(row, ensure_ascii=False) for row in rows]  # as captioner 0.1 wrote them
    (tmp_path / "out").write_text("\n".join(raw) + "\n", encoding="utf-8")
    assert process.run([*arguments, "--skip-existing"], tmp_path) == 0
    assert "4 skipped" in (tmp_path / "said.txt").read_text()
