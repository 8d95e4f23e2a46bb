"""Columns, their names and what is kept of a table, as pandas and pyarrow see them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas
import pyarrow.json
import pyarrow.parquet
import pytest
from PIL import Image

from tests.batch import process


@pytest.fixture
def album(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for width, name in enumerate(("a.png", "b.png"), 4):
        Image.new("RGB", (width, 5)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    return tmp_path


def caption(folder: Path, *arguments: object) -> str:
    """What the command says; it may end with 0, or with 1 as a photo fails."""
    code = process.run(["caption", *arguments], folder)
    said = (folder / "said.txt").read_text()
    assert code in (0, 1) and "Traceback" not in said, said
    return said


def refused(folder: Path, *arguments: object) -> str:
    assert process.run(["caption", *arguments], folder) == 2
    return " ".join((folder / "said.txt").read_text().split())


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_all_rows_of_json_lines_have_the_same_keys(album: Path) -> None:
    caption(album, "in", "--format", "jsonl", "-o", "out")
    rows = objects(album / "out")
    assert {tuple(row) for row in rows} == {("path", "caption", "score", "words", "error")}
    assert [row["error"] for row in rows][:2] == ["", ""] and rows[2]["caption"] is None
    assert "no picture" in rows[2]["error"] or rows[2]["error"]
    caption(album, "in", "--format", "jsonl", "-o", "three", "--top", 3)
    keys = {tuple(row) for row in objects(album / "three")}
    assert keys == {("path", "caption", "score", "words", "alternatives", "error")}


def test_readers_that_take_types_from_the_start_read_it_to_its_end(album: Path) -> None:
    """As Hugging Face's `datasets` does: types are those of the first block, for all the others."""
    (album / "list.txt").write_text("in/a.png\n" * 40 + "in/bad.png\n")
    caption(album, "list.txt", "--format", "jsonl", "-o", "out")
    blocks = pyarrow.json.ReadOptions(block_size=1024)
    first = pyarrow.json.open_json(album / "out", blocks).schema
    options = pyarrow.json.ParseOptions(explicit_schema=first)
    table = pyarrow.json.read_json(album / "out", blocks, options)
    assert table.schema == first and table.num_rows == 41
    assert str(first.field("error").type) == "string"


def test_columns_get_the_names_that_others_want(album: Path) -> None:
    more = ("--rename", "caption=text, path=file_name")
    for format in ("jsonl", "json", "csv", "tsv", "parquet"):
        caption(album, "in", "--format", format, "-o", f"out.{format}", *more)
    named = ["file_name", "text", "score", "error"]
    assert list(pandas.read_csv(album / "out.csv").columns) == named
    assert list(pandas.read_csv(album / "out.tsv", sep="\t").columns) == named
    assert pyarrow.parquet.read_table(album / "out.parquet").column_names == named
    assert list(objects(album / "out.jsonl")[0]) == [*named[:3], "words", "error"]
    assert json.loads((album / "out.json").read_text()) == objects(album / "out.jsonl")
    assert "no column 'text'" in refused(album, "in", "-o", "x.csv", "--rename", "text=caption")
    assert "is not OLD=NEW" in refused(album, "in", "-o", "x.csv", "--rename", "caption")
    assert "two columns" in refused(album, "in", "-o", "x.csv", "--rename", "caption=path")


@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "tsv", "parquet"])
def test_what_is_there_is_added_to_under_its_new_names(album: Path, format: str) -> None:
    out = album / f"out.{format}"
    more = ("-o", out.name, "--rename", "caption=text,error=why")
    caption(album, "in/a.png", "in/bad.png", *more)
    before = out.read_bytes()
    Image.new("RGB", (9, 9)).save(album / "in" / "bad.png")
    said = caption(album, "in", *more, "--skip-existing")
    assert "2 photos captioned, 1 skipped" in said and out.read_bytes() != before
    is_parquet = format == "parquet"
    text = repr(pandas.read_parquet(out).values) if is_parquet else out.read_text()
    assert text.count("A photo 4 by 5.") == 1 and text.count("A photo 9 by 9.") == 1
    other = process.run(["caption", "in", "-o", out.name, "--skip-existing"], album)
    assert other == 1 and "has the columns" in (album / "said.txt").read_text()


def test_json_lines_of_an_older_captioner_are_added_to(album: Path) -> None:
    old = {"path": "in/a.png", "caption": "Old.", "score": 0.5, "words": ["old"]}
    (album / "out.jsonl").write_text(json.dumps(old) + '\n{"path": "in/b.png", "error": "x"}\n')
    caption(album, "in", "-o", "out.jsonl", "--skip-existing")
    rows = objects(album / "out.jsonl")
    assert rows[0] == {**old, "error": ""} and len(rows) == 3
    assert {tuple(row) for row in rows} == {tuple(rows[0])}


TABLE = [
    {"id": 7, "image": "in/a.png", "split": "train", "tags": ["x", "y"]},
    {"id": 8, "image": "in/bad.png", "split": "val", "tags": []},
    {"id": 9, "image": None, "split": None, "tags": None},
]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        *(("csv", "jsonl"), ("jsonl", "parquet"), ("json", "csv")),
        *(("parquet", "jsonl"), ("arrow", "parquet"), ("jsonl.gz", "csv")),
    ],
)
def test_columns_of_the_table_come_through(album: Path, source: str, target: str) -> None:
    write(album / f"t.{source}", TABLE)
    caption(album, f"t.{source}", "--keep", "id,split", "-o", f"out.{target}")
    reader = {"csv": pandas.read_csv, "parquet": pandas.read_parquet}.get(
        target, lambda path: pandas.read_json(path, lines=True)
    )
    rows = reader(album / f"out.{target}")
    assert [int(number) for number in rows["id"]] == [7, 8, 9]
    splits = [None if pandas.isna(split) or not split else split for split in rows["split"]]
    assert splits == ["train", "val", None]
    assert rows["caption"][0] == "A photo 4 by 5." and list(rows["path"])[2].endswith("#2")


def test_kept_columns_keep_their_types(album: Path) -> None:
    write(album / "t.jsonl", [*TABLE, {"id": 1.5, "image": "in/a.png", "tags": 3}])
    caption(album, "t.jsonl", "--keep", "id,tags,split", "-o", "out.parquet")
    table = pyarrow.parquet.read_table(album / "out.parquet")
    assert table["id"].to_pylist() == [7.0, 8.0, 9.0, 1.5]
    assert table["tags"].to_pylist() == ["x y", "", None, "3"]  # no one type holds them
    said = refused_by_table(album, "t.jsonl", "--keep", "nothing", source="csv")
    assert "has no column 'nothing'; it has id, image, split" in said


def refused_by_table(album: Path, *arguments: str, source: str) -> str:
    write(album / f"t.{source}", TABLE)
    code = process.run(["caption", f"t.{source}", *arguments[1:], "-o", "x.jsonl"], album)
    assert code == 1
    return (album / "said.txt").read_text()


def test_a_kept_column_may_not_hide_one_of_ours(album: Path) -> None:
    write(album / "t.csv", [{"image": "in/a.png", "caption": "Mine."}])
    assert "two columns would be called caption" in refused(
        album, "t.csv", "--keep", "caption", "-o", "x.csv"
    )
    more = ("--keep", "caption", "--rename", "caption=machine", "-o", "out.jsonl")
    caption(album, "t.csv", *more)
    (row,) = objects(album / "out.jsonl")
    assert (row["caption"], row["machine"]) == ("Mine.", "A photo 4 by 5.")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_imagefolders_metadata_out_and_in(album: Path, format: str) -> None:
    out = album / "in" / f"metadata.{format}"
    caption(album, "in", "-o", out)
    rows = pandas.read_csv(out) if format == "csv" else pandas.read_json(out, lines=True)
    assert list(rows.columns) == ["file_name", "text"]
    assert list(rows["file_name"]) == ["a.png", "b.png", "bad.png"]
    assert list(rows["text"])[:2] == ["A photo 4 by 5.", "A photo 5 by 5."]
    caption(album, out, "-o", "again.jsonl")
    assert [row["path"] for row in objects(album / "again.jsonl")] == [
        str(album / "in" / name) for name in ("a.png", "b.png", "bad.png")
    ]


def test_metadata_that_people_wrote_is_kept(album: Path) -> None:
    out = album / "in" / "metadata.csv"
    out.write_text("file_name,text\na.png,Mine.\n")
    assert process.run(["caption", "in", "-o", out], album) == 1
    assert "is there already" in (album / "said.txt").read_text()
    caption(album, "in", "-o", out, "--skip-existing")
    assert list(pandas.read_csv(out)["text"])[:2] == ["Mine.", "A photo 5 by 5."]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    import gzip

    table = pyarrow.Table.from_pylist
    match path.name.partition(".")[2]:
        case "parquet":
            pyarrow.parquet.write_table(table(rows), path)
        case "arrow":
            with pyarrow.OSFile(str(path), "wb") as file:
                made = table(rows)
                with pyarrow.ipc.new_stream(file, made.schema) as stream:
                    stream.write_table(made)
        case "json":
            path.write_text(json.dumps(rows))
        case "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case "jsonl.gz":
            text = "".join(json.dumps(row) + "\n" for row in rows)
            path.write_bytes(gzip.compress(text.encode()))
        case _:
            pandas.DataFrame(rows).to_csv(path, index=False)


def test_csv_that_a_spreadsheet_takes_for_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["=1+1.png", "-a.png", "@b.png", "+c\rd.png", "ü.png"]
    for name in names:
        Image.new("RGB", (4, 5)).save(tmp_path / name)
    (tmp_path / "list.txt").write_bytes("\0".join(f"./{name}" for name in names).encode())
    arguments = ["-o", "out.csv", "--excel", "--before", "=HYPERLINK(", "--fields", "caption"]
    monkeypatch.chdir(tmp_path)
    code = process.run(["caption", "--exclude", "*.txt", *arguments, "--", *names], tmp_path)
    assert code == 0, (tmp_path / "said.txt").read_text()
    raw = (tmp_path / "out.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfpath,caption\n")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))[1:]
    assert [row[0] for row in rows] == [*(f"./{name}" for name in names[:4]), "ü.png"]
    assert all(row[1] == "'=HYPERLINK(A photo 4 by 5." for row in rows)
    assert b'"./+c\rd.png"' in raw  # else a carriage return ends the row
    assert list(pandas.read_csv(tmp_path / "out.csv")["path"]) == [row[0] for row in rows]
    again = ["caption", *arguments, "--skip-existing", "--", *names]
    assert process.run(again, tmp_path) == 0
    assert "5 skipped" in (tmp_path / "said.txt").read_text()
    assert (tmp_path / "out.csv").read_bytes() == raw


@pytest.mark.parametrize("name", ["out.json", "out.tsv", "out.csv", "out.ndjson", "out.txt", "out"])
def test_an_output_holds_what_its_name_says(album: Path, name: str) -> None:
    caption(album, "in", "-o", name)
    text = (album / name).read_text()
    first = {
        "json": "[\n{",
        "tsv": "path\tcaption\t",
        "csv": "path,caption,",
        "ndjson": '{"path": ',
    }
    assert text.startswith(first.get(name.partition(".")[2], "in/a.png\tA photo"))


@pytest.mark.parametrize("name", ["out.xlsx", "out.XLS", "out.html", "out.parq", "out.gz"])
def test_endings_of_other_files_are_refused(album: Path, name: str) -> None:
    said = refused(album, "in", "-o", name)
    assert "--output" in said and ("--excel" in said or "say what it is to hold" in said)
    if name.endswith("xlsx"):
        assert "--excel" in refused(album, "in", "-o", name, "--format", "csv")
    assert not (album / name).exists()


def test_text_shows_what_would_break_its_lines_or_steer_a_terminal(tmp_path: Path) -> None:
    name = "a\tb\nc\x1b[2J\x9b1m.png"
    Image.new("RGB", (4, 5)).save(tmp_path / name)
    caption(tmp_path, name, "-o", "out.txt")
    written = "a\\tb\\nc\\x1b[2J\\x9b1m.png"
    assert (tmp_path / "out.txt").read_text() == f"{written}\tA photo 4 by 5.\n"
    assert "1 skipped" in caption(tmp_path, name, "-o", "out.txt", "--skip-existing")
