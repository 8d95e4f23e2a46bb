"""Many photos, without a browser: rows, steps, archives, and the files to take home."""

import csv
import io
import json
import random
import zipfile

import pytest
from fake_captioner import SENTENCES, FakeCaptioner
from PIL import Image

from captioner.errors import CaptionerError
from captioner.page.album import album_rows, album_steps, packed_photo
from captioner.page.options import read_options
from captioner.page.saved_photo import save_photo
from captioner.page.saving import as_csv, save_album
from captioner.page.uploads import Upload, count
from captioner.page.worker import ModelWorker

CAPTION = SENTENCES[0].capitalize() + "."
NAMES = ("dog.jpg", "cat.png", "notes.txt", "wide.png")


def rows_of(uploads, fake=None, wish=None):
    steps = album_steps(ModelWorker([fake or FakeCaptioner()]), uploads, wish)
    return [row for step in steps for row in step["rows"]]


def zipped(path, members, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return Upload(str(path), path.name)


def test_every_photo_has_a_row_in_order(photos):
    rows = rows_of([Upload(str(photos / name), name) for name in NAMES])
    assert [row["path"] for row in rows] == list(NAMES)
    assert [row.get("caption") for row in rows] == [CAPTION, CAPTION, None, CAPTION]
    assert "text" in rows[2]["error"] and "thumbnail" not in rows[2]
    assert all(row["thumbnail"].startswith("data:image/jpeg") for row in rows if "caption" in row)


def test_photos_are_captioned_together_and_told_step_by_step(photos):
    fake = FakeCaptioner()
    uploads = [Upload(str(photos / NAMES[index % 2]), f"{index}.jpg") for index in range(19)]
    steps = list(album_steps(ModelWorker([fake]), uploads, None))
    assert [len(step["rows"]) for step in steps] == [0, 8, 8, 3]
    assert {step["total"] for step in steps} == {19}
    assert [size for size, _ in fake.batches] == [8, 8, 3]


def test_options_impossible_for_a_photo_are_its_own_affair(photos):
    class Picky(FakeCaptioner):
        def _one(self, image, options):
            if image.width < image.height:
                raise CaptionerError("no sentence obeys these options")
            return super()._one(image, options)

    rows = rows_of([Upload(str(photos / name), name) for name in NAMES], Picky())
    assert [row.get("error", "")[:11] for row in rows[:2]] == ["", "no sentence"]
    assert rows[3]["caption"] == CAPTION


def test_an_archive_stands_for_the_photos_in_it_under_their_paths(photos, tmp_path):
    dog = (photos / "dog.jpg").read_bytes()
    members = {
        "a/dog.jpg": dog, "a/.hidden.jpg": dog, "__MACOSX/a/._dog.jpg": b"", "b/dog.jpg": b"x",
        "b/Thumbs.db": b"x", "notes.txt": b"x",
    }  # fmt: skip
    archive = zipped(tmp_path / "holiday.zip", members)
    uploads = [archive, Upload(str(photos / "cat.png"), "cat.png")]
    assert count(uploads) == 3
    rows = rows_of(uploads)
    assert [row["path"] for row in rows] == [
        "holiday.zip/a/dog.jpg",
        "holiday.zip/b/dog.jpg",
        "cat.png",
    ]
    assert ["caption" in row for row in rows] == [True, False, True]
    named = album_rows(ModelWorker([FakeCaptioner()]), uploads)
    assert [row["name"] for row in named] == [row["path"] for row in rows]
    packed = packed_photo(archive, "holiday.zip/a/dog.jpg")
    assert (packed.name, packed.kind) == ("dog.jpg", "image/jpeg")
    assert Image.open(io.BytesIO(packed.content)).size == (640, 480)
    for path in ("holiday.zip/b/dog.jpg", "holiday.zip/c.jpg", None):
        with pytest.raises(CaptionerError):
            packed_photo(archive, path)


def test_what_an_archive_cannot_give_is_said(photos, tmp_path):
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    noise = random.Random(0).randbytes(5000)
    whole = zipped(tmp_path / "half.zip", {"dog.jpg": noise}, compression=zipfile.ZIP_DEFLATED)
    damaged = bytearray((tmp_path / "half.zip").read_bytes())
    damaged[100:140] = bytes(40)
    (tmp_path / "half.zip").write_bytes(damaged)
    inner = zipped(tmp_path / "outer.zip", {"a/inner.zip": b"PK"})
    empty = zipped(tmp_path / "empty.zip", {"notes.txt": b""})
    rows = rows_of([Upload(str(tmp_path / "no.zip"), "no.zip"), whole, inner, empty])
    assert [row["path"] for row in rows] == [
        "no.zip", "half.zip/dog.jpg", "outer.zip/a/inner.zip", "outer.zip",
        "empty.zip",
    ]  # fmt: skip
    reasons = [row["error"] for row in rows]
    assert "no ZIP" in reasons[0] and "damaged" in reasons[1]
    assert "unpack" in reasons[2] and "no pictures" in reasons[3] == reasons[4]
    assert "archive" in _answer_for_one(inner)["error"]


def _answer_for_one(upload):
    from captioner.page.answers import answer

    return answer(ModelWorker([FakeCaptioner()]), upload)


def test_there_is_a_limit_to_many(photos, tmp_path):
    dog = Upload(str(photos / "dog.jpg"), "dog.jpg")
    assert count([dog] * 1000) == 1000
    packed = zipped(tmp_path / "many.zip", {f"{index}.jpg": b"" for index in range(600)})
    for uploads in ([dog] * 1001, [packed, packed]):
        with pytest.raises(CaptionerError, match="more than 1,000"):
            count(uploads)
    for none in (None, []):
        with pytest.raises(CaptionerError, match="no photos"):
            count(none)


def saved(rows, kind):
    return save_album({"format": kind, "rows": rows}).content


def test_files_to_take_home():
    rows = [
        {"path": "dog.jpg", "caption": 'A "dog", brown.', "score": 0.5, "error": None},
        {"path": "x/dog.jpg", "caption": "Ein Hündchen.", "score": "", "edited": True},
        {"path": "=1+1.jpg", "error": "is no picture"},
    ]
    table = list(csv.DictReader(io.StringIO(saved(rows, "csv").decode("utf-8-sig"))))
    assert [row["caption"] for row in table] == ['A "dog", brown.', "Ein Hündchen.", ""]
    assert [row["path"] for row in table] == ["dog.jpg", "x/dog.jpg", "./=1+1.jpg"]
    kept = json.loads(saved(rows, "json"))
    assert kept[1] == {"path": "x/dog.jpg", "caption": "Ein Hündchen."}
    assert kept[2] == {"path": "=1+1.jpg", "error": "is no picture"}
    with zipfile.ZipFile(io.BytesIO(saved(rows, "text"))) as archive:
        assert archive.namelist() == ["dog.txt", "x/dog.txt"]
        assert archive.read("x/dog.txt").decode() == "Ein Hündchen.\n"
    # Only what a person wrote teaches.
    assert [json.loads(line) for line in saved(rows, "teaching").splitlines()] == [
        {"path": "x/dog.jpg", "caption": "Ein Hündchen."}
    ]
    for bad in (
        {},
        {"format": "exe", "rows": []},
        {"format": "csv", "rows": 3},
        {"format": "csv", "rows": [1]},
    ):
        with pytest.raises(CaptionerError, match="reload"):
            save_album(bad)


def test_no_name_leads_out_of_the_zip():
    paths = ["../../up.jpg", "/root.jpg", "a\\..\\b.jpg", "a/b.jpg", "a/b.png", "..", ""]
    rows = [{"path": path, "caption": "x"} for path in paths]
    with zipfile.ZipFile(io.BytesIO(saved(rows, "text"))) as archive:
        assert archive.namelist() == [
            "up.txt", "root.txt", "a/b.txt", "a/b-2.txt", "a/b-3.txt", "photo.txt", "photo-2.txt",
        ]  # fmt: skip


def test_no_value_becomes_a_formula():
    written = ("=1", "+a", "-a", "@x", "a=1", "-1")
    text = as_csv([{"path": "a", "caption": value} for value in written])
    captions = [row["caption"] for row in csv.DictReader(io.StringIO(text.decode("utf-8-sig")))]
    assert captions == ["'=1", "'+a", "'-a", "'@x", "a=1", "-1"]


def test_bad_requests_for_a_picture_are_refused(photos):
    photo = Upload(str(photos / "cat.png"), "my cat.png")
    request = {
        "kind": "panels", "caption": "A word.", "words": ["w" * 60], "attention": [[[0.5, 0.5]]],
        "strength": 0.6,
    }  # fmt: skip
    assert save_photo(photo, request).name == "my cat.attention.png"
    for bad in (
        {"words": ["w" * 61]}, {"words": []}, {"attention": [[[0.5], [0.5, 1]]]}, {"kind": "exe"},
        {"attention": [[[0.5] * 65]]}, {"attention": [[]]}, {"attention": []}, {"strength": 2},
        {"more": 1},
    ):  # fmt: skip
        with pytest.raises(CaptionerError, match="cannot be saved"):
            save_photo(photo, request | bad)


@pytest.mark.parametrize("words", [["a,b,c,d"], ["red dog", "green grass"], ["a b", "c d"]])
def test_up_to_three_words_are_included(words):
    assert read_options({"include": ["a dog", "grass"]})[0].include == ("a dog", "grass")
    with pytest.raises(CaptionerError, match=r"include must hold at most 3 words"):
        read_options({"include": words})
