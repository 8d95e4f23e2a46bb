"""The other two tabs: many photos, and several models."""

import base64
import csv
import io
import json
import random
import zipfile
from pathlib import Path
from threading import Semaphore

import pytest
from fake_captioner import SENTENCES, FakeCaptioner

from captioner.errors import CaptionerError, ImageError
from captioner.options import Options
from captioner.page.album import album_progress, album_rows, as_csv, caption_album, save_album
from captioner.page.engine import Engine
from captioner.page.keepsakes import save_keepsake
from captioner.page.options import read_options
from captioner.page.uploads import Upload, unpack

CAPTION = SENTENCES[0].capitalize() + "."
NAMES = ("dog.jpg", "cat.png", "notes.txt", "wide.png")


def rows_of(uploads, fake=None, options=Options()):
    engine = Engine([fake or FakeCaptioner()])
    return [row for row, _ in caption_album(engine, unpack(uploads), options)]


def zipped(path, members, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return Upload(str(path), path.name)


def test_every_photo_has_a_row_in_order(photos):
    rows = rows_of([Upload(str(photos / name), name) for name in NAMES])
    assert [row["path"] for row in rows] == list(NAMES)
    assert [row.get("caption") for row in rows] == [CAPTION, CAPTION, None, CAPTION]
    assert "text" in rows[2]["error"]


def test_photos_are_captioned_together_and_shown_step_by_step(photos):
    fake = FakeCaptioner()
    uploads = [Upload(str(photos / NAMES[index % 2]), f"{index}.jpg") for index in range(19)]
    steps = [len(step["rows"]) for step in album_progress(Engine([fake]), uploads, None)]
    assert steps == [8, 16, 19]
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


def test_a_zip_stands_for_what_is_in_it(photos, tmp_path):
    dog = (photos / "dog.jpg").read_bytes()
    members = {
        "a/dog.jpg": dog,
        "a/.hidden.jpg": dog,
        "__MACOSX/a/._dog.jpg": b"",
        "b/no.jpg": b"x",
    }
    archive = zipped(tmp_path / "holiday.zip", members)
    rows = rows_of([archive, Upload(str(photos / "cat.png"), "cat.png")])
    assert [row["path"] for row in rows] == ["dog.jpg", "no.jpg", "cat.png"]
    assert ["caption" in row for row in rows] == [True, False, True]


def test_a_zip_in_a_zip_is_no_photo(photos, tmp_path):
    cat = (photos / "cat.png").read_bytes()
    members = {"a.png": cat, "inner.zip": b"PK", "b.png": cat}
    archive = zipped(tmp_path / "outer.zip", members)
    engine = Engine([FakeCaptioner()])
    *_, step = album_progress(engine, [archive], None)
    assert step["total"] == 3
    for rows, name in ((step["rows"], "path"), (album_rows(engine, [archive]), "name")):
        assert [row[name] for row in rows] == list(members)
        assert ["caption" in row for row in rows] == [True, False, True]


def test_broken_zips_are_marked(photos, tmp_path):
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    noise = random.Random(0).randbytes(5000)
    whole = zipped(tmp_path / "half.zip", {"dog.jpg": noise}, compression=zipfile.ZIP_DEFLATED)
    damaged = bytearray((tmp_path / "half.zip").read_bytes())
    damaged[100:140] = bytes(40)
    (tmp_path / "half.zip").write_bytes(damaged)
    bomb = zipped(tmp_path / "bomb.zip", {"zeros.jpg": bytes(26 * 2**20)})
    rows = rows_of([Upload(str(tmp_path / "no.zip"), "no.zip"), whole, bomb])
    assert [row["path"] for row in rows] == ["no.zip", "dog.jpg", "zeros.jpg"]
    reasons = [row["error"] for row in rows]
    assert "not a ZIP" in reasons[0] and "unpacked" in reasons[1] and "25 MB" in reasons[2]


def test_there_is_a_limit_to_many(photos, tmp_path):
    dog = Upload(str(photos / "dog.jpg"), "dog.jpg")
    assert len(unpack([dog] * 200)) == 200
    packed = zipped(tmp_path / "many.zip", {f"{index}.jpg": b"" for index in range(150)})
    for uploads in ([dog] * 201, [packed, packed]):
        with pytest.raises(CaptionerError, match="more than 200"):
            unpack(uploads)
    for none in (None, []):
        with pytest.raises(CaptionerError, match="no photos"):
            unpack(none)
    refused = ImageError("photo", "not a file that was uploaded here")
    assert unpack([refused]) == [refused]


def test_files_to_take_home():
    rows = [
        {"path": "dog.jpg", "caption": 'A "dog", brown.', "score": 0.5, "error": None},
        {"path": "x/dog.jpg", "caption": "Ein Hündchen.", "score": "", "error": None},
        {"path": "=1+1.jpg", "error": "is no picture"},
    ]

    def content(format):
        return base64.b64decode(save_album({"format": format, "rows": rows})["base64"])

    table = list(csv.DictReader(io.StringIO(content("csv").decode("utf-8-sig"))))
    assert [row["caption"] for row in table] == ['A "dog", brown.', "Ein Hündchen.", ""]
    assert table[0]["score"] == "0.5" and table[1]["score"] == ""
    assert table[2] == {"path": "'=1+1.jpg", "caption": "", "score": "", "error": "is no picture"}
    assert json.loads(content("json"))[2] == {"path": "=1+1.jpg", "error": "is no picture"}
    with zipfile.ZipFile(io.BytesIO(content("text"))) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert texts == {"dog.txt": 'A "dog", brown.\n', "dog-2.txt": "Ein Hündchen.\n"}


@pytest.mark.parametrize("request_", [{}, {"format": "exe", "rows": []}, {"format": "csv"}, 7])
def test_what_cannot_be_saved_is_refused_in_words(request_):
    with pytest.raises(CaptionerError, match="cannot be saved"):
        save_album(request_)
    with pytest.raises(CaptionerError, match="cannot be saved"):
        save_keepsake(request_)


def test_a_word_too_long_for_a_sheet_is_refused(photos):
    request = {
        "kind": "panels",
        "photo": "data:image/png;base64,"
        + base64.b64encode((photos / "cat.png").read_bytes()).decode(),
        "caption": "A word.",
        "words": ["w" * 60],
        "attention": [[[0.5, 0.5]]],
        "strength": 0.6,
    }
    assert save_keepsake(request)["name"] == "attention.png"
    with pytest.raises(CaptionerError, match="cannot be saved"):
        save_keepsake(request | {"words": ["w" * 61]})


@pytest.mark.parametrize("words", [["a,b,c,d"], ["red dog", "green grass"], ["a"] * 4, [""] * 4])
def test_up_to_three_words_are_included(words):
    assert read_options({"include": ["a dog", "grass"]})[0].include == ("a dog", "grass")
    with pytest.raises(CaptionerError, match=r"'include' cannot be used: .*at most 3"):
        read_options({"include": words})


def test_no_value_becomes_a_formula():
    text = as_csv([{"path": "a", "caption": value} for value in ("=1", "+1", "-1", "@x", "a=1")])
    captions = [row["caption"] for row in csv.DictReader(io.StringIO(text.decode("utf-8-sig")))]
    assert captions == ["'=1", "'+1", "'-1", "'@x", "a=1"]


def test_many_photos_in_the_browser(visit, photos):
    page = visit()
    page.get_by_role("tab", name="Many photos").click()
    page.wait_for_function("captioner.many")
    page.set_input_files("#many-files input[type=file]", [photos / name for name in NAMES])
    page.locator("#many-files .file-preview").wait_for()
    page.click("#many-start")
    items = page.locator(".cap-album article")
    items.nth(3).wait_for()
    page.wait_for_function(
        "document.querySelector('.cap-many .cap-status').textContent.includes('4 photos')"
    )
    assert "1 could not be read" in page.locator(".cap-many .cap-status").inner_text()
    assert items.nth(2).locator(".cap-name").inner_text() == "notes.txt"
    assert "text" in items.nth(2).locator(".cap-reason").inner_text()
    shown = "image => image.complete && image.naturalWidth / image.naturalHeight"
    assert items.nth(0).locator("img").evaluate(shown) == pytest.approx(4 / 3, abs=0.02)
    assert items.nth(0).locator("textarea").input_value() == CAPTION
    page.get_by_label("Caption of cat.png").fill("My own words.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert [row["path"] for row in table] == list(NAMES)
    assert [row["caption"] for row in table] == [CAPTION, "My own words.", "", CAPTION]
    assert table[1]["score"] == "" and float(table[0]["score"]) > 0.5 and table[2]["error"]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save text files (ZIP)").click()
    assert zipfile.ZipFile(download.value.path()).namelist() == ["dog.txt", "cat.txt", "wide.txt"]


def test_many_photos_show_their_progress_and_can_be_stopped(visit, serve, photos, tmp_path):
    turns = Semaphore(1)
    served = serve(FakeCaptioner(turns=turns))
    cat = (photos / "cat.png").read_bytes()
    zipped(tmp_path / "many.zip", {f"{index:03}.png": cat for index in range(120)})
    page = visit(served.url)
    page.get_by_role("tab", name="Many photos").click()
    page.wait_for_function("captioner.many")
    page.set_input_files("#many-files input[type=file]", tmp_path / "many.zip")
    page.locator("#many-files .file-preview").wait_for()
    page.click("#many-start")
    items, status = page.locator(".cap-album article"), page.locator(".cap-many .cap-status")
    for done in (8, 16):
        items.nth(done - 1).wait_for()
        assert status.inner_text() == f"{done} of 120 photos done."
        assert page.locator(".cap-progress").evaluate("bar => bar.value / bar.max") == done / 120
        if done == 8:
            turns.release()
    page.click("#many-stop")
    page.get_by_text("Stopped after 16 photos.").wait_for()
    turns.release(99)
    page.wait_for_timeout(1500)
    assert items.count() == 16
    assert len(served.fakes[0].batches) < 5


def test_no_photos_at_all_is_said_in_words(visit):
    page = visit()
    page.get_by_role("tab", name="Many photos").click()
    page.wait_for_function("captioner.many")
    page.click("#many-start")
    page.get_by_text("There are no photos: choose some").wait_for()
    assert page.locator(".cap-album article").count() == 0


def test_models_stand_side_by_side(visit, served, photos):
    page = visit()
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("captioner.compare")
    page.set_input_files("#captioner-compare input[type=file]", photos / "dog.jpg")
    cards = page.locator("#captioner-compare .cap-card")
    cards.nth(1).locator(".cap-chip").first.wait_for()
    assert [cards.nth(place).locator("h2").inner_text() for place in range(2)] == [
        fake.name for fake in served.fakes
    ]
    boxes = [cards.nth(place).bounding_box() for place in range(2)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    cards.nth(1).locator(".cap-chip").nth(2).hover()
    assert cards.nth(1).locator(".cap-chip.cap-on").inner_text() == "runs"
    assert cards.nth(0).locator(".cap-chip.cap-on").count() == 0
    page.set_input_files("#captioner-compare input[type=file]", photos / "notes.txt")
    page.wait_for_selector("#captioner-compare .cap-error")
    assert "notes.txt" in page.locator("#captioner-compare .cap-status").inner_text()


def test_a_decoder_that_does_not_look_says_so(visit, serve, photos):
    page = visit(serve(FakeCaptioner("first"), FakeCaptioner("blind", looks=False)).url)
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("captioner.compare")
    page.set_input_files("#captioner-compare input[type=file]", photos / "dog.jpg")
    card = page.locator("#captioner-compare .cap-card").nth(1)
    card.get_by_text("This decoder has no attention: it looks nowhere.").wait_for()
    card.locator(".cap-chip").nth(2).hover()
    assert card.locator(".cap-chip.cap-on").inner_text() == "runs"
    card.locator(".cap-photo").first.hover()
    page.wait_for_timeout(400)
    assert card.locator("canvas").first.evaluate("canvas => canvas.style.opacity") == "0"


def test_the_family_is_loaded_when_it_is_asked_for(monkeypatch, photos):
    import captioner.captioner as room

    loaded = []
    monkeypatch.setattr(room, "load", lambda file: loaded.append(file) or FakeCaptioner("other"))
    engine = Engine([FakeCaptioner("first")], [Path("a/peek.safetensors")])
    assert engine.names == ["first", "peek"] and not loaded
    for _ in range(2):
        answer = engine.compare(Upload(str(photos / "dog.jpg"), "dog.jpg"), None)
        assert [model["name"] for model in answer["models"]] == ["first", "peek"]
        assert all(model["caption"] for model in answer["models"])
    assert loaded == [Path("a/peek.safetensors")]


def test_one_model_says_how_to_compare(visit, serve):
    page = visit(serve(FakeCaptioner()).url)
    page.get_by_role("tab", name="Compare").click()
    page.get_by_text("--model first.safetensors --model second.safetensors").wait_for()
