"""Photos in tables: paths, addresses, bytes, lists of them, in every kind of file."""

import base64
import csv
import gzip
import io
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from captioner.datasets.photos import remote
from captioner.datasets.photos.photo import Photo
from captioner.datasets.photos.stream import check_tables, photos
from captioner.errors import CaptionerError, ImageError
from tests.datasets.packed import contents, found, jpeg


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with open(path, "w", newline="", encoding="utf-8") as file:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)


ALL = ["t.csv", "t.tsv", "t.jsonl", "t.parquet"]


@pytest.mark.parametrize("name", ALL)
def test_paths_start_beside_the_table(tmp_path: Path, name: str) -> None:
    names = ["a.jpg", "sub, folder/ü.jpg", "/elsewhere/b.jpg", 'with "quotes".jpg']
    write_table(tmp_path / name, [{"id": n, "path": path} for n, path in enumerate(names)])
    expected = [os.path.join(tmp_path, path) for path in names]
    assert [item.content for item in found(tmp_path / name)] == expected
    assert [item.path for item in found(tmp_path / name)] == expected


@pytest.mark.parametrize("name", ALL)
def test_a_column_by_name_and_the_usual_ones(tmp_path: Path, name: str) -> None:
    rows = [{"id": "x.jpg", "image": "a.jpg", "photo": "b.jpg"}]
    write_table(tmp_path / name, rows)
    assert [Path(item.path).name for item in found(tmp_path / name)] == ["a.jpg"]
    assert [Path(i.path).name for i in found(tmp_path / name, column="photo")] == ["b.jpg"]
    check_tables([str(tmp_path / name)], "photo")
    with pytest.raises(CaptionerError, match=r"has no column 'pixels'; it has id, image, photo\."):
        check_tables([str(tmp_path / name)], "pixels")
    (item,) = found(tmp_path / name, column="pixels")
    assert isinstance(item, ImageError) and "id, image, photo" in item.reason
    write_table(tmp_path / name, [{"id": "1", "title": "x"}])
    with pytest.raises(CaptionerError, match=r"--column: id, title\."):
        check_tables([str(tmp_path / name)], None)


@pytest.mark.parametrize("name", ALL)
def test_pictures_in_the_table_itself(tmp_path: Path, name: str) -> None:
    data = [jpeg(1), jpeg(2)]
    text = [base64.b64encode(data[0]).decode(), base64.b64encode(data[1]).decode()]
    text[1] = f"data:image/jpeg;base64,{text[1]}"
    rows: list[dict[str, Any]] = [{"image": entry} for entry in text]
    if name == "t.parquet":
        rows = [{"image": entry} for entry in data]
    write_table(tmp_path / name, rows)
    expected = {f"{tmp_path / name}#{number}": entry for number, entry in enumerate(data)}
    assert contents(found(tmp_path / name)) == expected


def test_tables_as_hugging_face_writes_them(tmp_path: Path) -> None:
    rows = [
        {"image": {"bytes": jpeg(1), "path": "a.jpg"}},
        {"image": {"bytes": None, "path": "b.jpg"}},
    ]
    write_table(tmp_path / "t.parquet", rows)
    first, second = found(tmp_path / "t.parquet")
    assert (first.path, first.content) == (f"{tmp_path}/t.parquet#0", jpeg(1))
    assert second.path == str(tmp_path / "b.jpg")


def test_rows_without_a_picture_are_errors_in_their_place(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"path": "a.jpg"}\n\n{"path": ""}\nnonsense\n[1]\n{"other": 1}\n{"path": 7}\n'
        '{"path": "a\\u0000b"}\n{"path": "\\ud83d.jpg"}\n{"path": "b.jpg"}\n'
    )
    items = found(tmp_path / "t.jsonl")
    assert [isinstance(item, ImageError) for item in items] == [False] + [True] * 7 + [False]
    assert [item.path for item in items[1:-1]] == [f"{tmp_path}/t.jsonl#{n}" for n in range(1, 8)]
    for name, content in {"empty.csv": b"", "bad.parquet": b"PAR1 no", "none.jsonl": b"\n"}.items():
        (tmp_path / name).write_bytes(content)
        items = found(tmp_path / name)
        assert all(isinstance(item, ImageError) for item in items)
    with pytest.raises(CaptionerError, match="no Parquet file"):
        check_tables([str(tmp_path / "bad.parquet")], None)
    with pytest.raises(CaptionerError, match="empty table"):
        check_tables([str(tmp_path / "empty.csv")], None)


def test_a_large_table_streams(tmp_path: Path) -> None:
    rows = [{"image": bytes([n % 256]) * 20_000} for n in range(1500)]  # 30 MB
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist(rows),
        tmp_path / "t.parquet",
        use_dictionary=False,
        compression="none",
    )
    del rows
    before = pyarrow.total_allocated_bytes()
    most = 0
    for item in photos([str(tmp_path / "t.parquet")]):
        assert isinstance(item, Photo)
        most = max(most, pyarrow.total_allocated_bytes() - before)
    assert most < 10_000_000


def test_without_pyarrow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    (tmp_path / "t.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CaptionerError, match=r"pip install .*(pyarrow|parquet)"):
        check_tables([str(tmp_path / "t.parquet")], None)


def test_addresses_in_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "read", lambda name: name.encode())
    write_table(tmp_path / "t.csv", [{"url": "https://example.org/a.jpg"}])

    def fetched() -> Iterator[bytes]:
        for item in found(tmp_path / "t.csv"):
            assert callable(item.content)
            yield item.content()

    assert list(fetched()) == [b"https://example.org/a.jpg"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "arrow", "feather"])
def test_lists_of_pictures_in_a_cell(tmp_path: Path, suffix: str) -> None:
    binary = suffix != "jsonl"
    put = (lambda data: data) if binary else (lambda data: base64.b64encode(data).decode())
    rows = [
        {"images": [put(jpeg(1)), put(jpeg(2))], "structs": [{"bytes": put(jpeg(3)), "path": "x"}]},
        {"images": [], "structs": [{"bytes": put(jpeg(4)), "path": None}] * 2},
        {"images": None, "structs": None},
    ]
    path = tmp_path / f"t.{'arrow' if suffix == 'feather' else suffix}"
    made = pyarrow.Table.from_pylist(rows)
    if suffix in ("feather", "arrow"):
        new = pyarrow.ipc.new_file if suffix == "feather" else pyarrow.ipc.new_stream
        with pyarrow.OSFile(str(path), "wb") as file, new(file, made.schema) as writer:
            writer.write_table(made)
    else:
        write_table(path, rows)
    one, two, *others = found(path)
    assert contents([one, two]) == {f"{path}#0.0": jpeg(1), f"{path}#0.1": jpeg(2)}
    assert [(type(error), error.path) for error in others] == [
        (ImageError, f"{path}#1"),
        (ImageError, f"{path}#2"),
    ]
    *three, last = found(path, column="Structs")
    assert contents(three) == {
        f"{path}#0.0": jpeg(3),
        f"{path}#1.0": jpeg(4),
        f"{path}#1.1": jpeg(4),
    }
    assert isinstance(last, ImageError)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_of_any_encoding_and_between_any_signs(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    lines = [["id", "Path", "text"], ["1", "Größe.jpg", "a, b; c"], ["2", "b.jpg", ""]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "t.csv").write_bytes((mark + text.getvalue()).encode(encoding))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    for name in ("t.csv", "t.csv.gz"):
        paths = [photo.path for photo in found(tmp_path / name)]
        assert paths == [str(tmp_path / "Größe.jpg"), str(tmp_path / "b.jpg")]


@pytest.mark.parametrize(
    "column", ["Path", "img", "image_path", "Image Path", "pixel_values", "file-name", "images"]
)
def test_usual_columns_are_found_whatever_their_case(tmp_path: Path, column: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,{column}\n1,a.jpg\n")
    (photo,) = found(tmp_path / "t.csv")
    assert photo.path == str(tmp_path / "a.jpg")


def test_a_row_of_another_length_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,path\n1,a.jpg\n2,b, c.jpg\n\n3\n4,d.jpg\n")
    first, long, short, last = found(tmp_path / "t.csv")
    assert first.path.endswith("a.jpg") and last.path.endswith("d.jpg")
    assert "line 3 has 3 cells, and the header has 2" in long.reason
    assert "line 5 has 1 cells" in short.reason


def test_base64_with_line_breaks_is_base64_and_no_message_is_long(tmp_path: Path) -> None:
    picture = random.Random(1).randbytes(40_000)
    data = b"\xff\xd8\xff" + picture  # a JPEG's first bytes
    texts = {
        "lines": base64.encodebytes(data).decode(),
        "windows": base64.encodebytes(data).decode().replace("\n", "\r\n"),
        "uri": f"data:image/jpeg;base64,{base64.encodebytes(data).decode()}",
        "safe": base64.urlsafe_b64encode(data).decode().rstrip("="),
    }
    rows = [{"image": text} for text in [*texts.values(), "x" * 40_000, "/9j/" + "é" * 40_000]]
    write_table(tmp_path / "t.jsonl", rows)
    *good, long, broken = found(tmp_path / "t.jsonl")
    assert [photo.content for photo in good] == [data] * 4
    for error in (long, broken):
        assert isinstance(error, ImageError) and len(str(error)) < 300, str(error)[:200]


@pytest.mark.parametrize(
    "content", ['{"images": [{"file_name": "a.jpg"}]}', '[{"image": "a.jpg"}]']
)
def test_json_arrays_and_cocos_files(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.json").write_text(content)
    (photo,) = found(tmp_path / "t.json")
    assert photo.path == str(tmp_path / "a.jpg")
    for broken in ("{}", "[1", '"a"'):
        (tmp_path / "t.json").write_text(broken)
        (error,) = found(tmp_path / "t.json")
        assert "is no list of JSON objects" in error.reason


def test_flickrs_own_header_and_blanks_behind_its_bars(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "t.csv").write_text("comment_number| image_name| comment\n0| a.jpg| A dog.\n")
    (photo,) = found(tmp_path / "t.csv")
    assert photo.content == str(tmp_path / "a.jpg")
