"""The second view in a real browser: many photos."""

import csv
import io
import json
import zipfile
from threading import Event, Semaphore

import pytest
from browsing import give, status, until
from fake_captioner import SENTENCES, FakeCaptioner
from test_page_album import CAPTION, NAMES, zipped

from captioner.page import endpoints
from tests.waiting import wait_for

INPUT = "#many input[type=file] >> nth=0"


def done(page, text):
    until(
        page, "text => document.querySelector('#many .status').textContent.startsWith(text)", text
    )


@pytest.fixture
def many(visit):
    page = visit()
    page.get_by_role("tab", name="Many photos").click()
    return page


def download(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return download.value.path()


def test_many_photos_are_captioned_corrected_and_saved(many, photos):
    many.set_input_files(INPUT, [photos / name for name in NAMES])
    done(many, "3 captions, 1 could not be read.")
    items = many.locator("#many .item")
    assert items.nth(2).locator(".path").text_content() == "notes.txt"
    assert "text" in items.nth(2).locator(".reason").text_content()
    shown = "image => image.decode().then(() => image.naturalWidth / image.naturalHeight)"
    assert items.nth(0).locator("img").evaluate(shown) == pytest.approx(4 / 3, abs=0.02)
    assert items.nth(0).locator("textarea").input_value() == CAPTION
    teaching = many.get_by_role("button", name="Save teaching set")
    assert teaching.is_disabled()
    many.get_by_label("Caption of cat.png").fill("My own words.")
    table = list(csv.DictReader(io.StringIO(download(many, "Save CSV").read_text("utf-8-sig"))))
    assert [row["path"] for row in table] == list(NAMES)
    assert [row["caption"] for row in table] == [CAPTION, "My own words.", "", CAPTION]
    assert table[1]["score"] == "" and float(table[0]["score"]) > 0.5 and table[2]["error"]
    texts = zipfile.ZipFile(download(many, "Save text files (ZIP)"))
    assert texts.namelist() == ["dog.txt", "cat.txt", "wide.txt"]
    taught = json.loads(download(many, "Save teaching set").read_text())
    assert taught == {"path": "cat.png", "caption": "My own words."}


def test_what_was_corrected_stays_when_more_photos_come(many, photos):
    give(many, [("dog.jpg", (photos / "dog.jpg").read_bytes())])
    done(many, "1 photo done.")
    many.get_by_label("Caption of dog.jpg").fill("My own words.")
    many.set_input_files(INPUT, [photos / "cat.png", photos / "wide.png"])
    done(many, "3 photos done.")
    many.set_input_files(INPUT, [photos / "cat.png"])  # it is there already
    many.wait_for_timeout(300)
    captions = [field.input_value() for field in many.locator("#many .item textarea").all()]
    assert captions == ["My own words.", CAPTION, CAPTION]
    asked = []
    many.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    many.get_by_role("button", name="Start over").click()
    assert "1 caption that you wrote" in asked[0]
    assert many.locator("#many .item").count() == 3
    many.once("dialog", lambda dialog: dialog.accept())
    many.get_by_role("button", name="Start over").click()
    assert many.locator("#many .item").count() == 0


def test_paths_in_archives_are_kept_and_their_photos_can_be_opened(many, photos, tmp_path):
    dog, cat = ((photos / name).read_bytes() for name in ("dog.jpg", "cat.png"))
    members = {"a/pet.jpg": dog, "b/pet.jpg": cat, "b/Thumbs.db": b"x"}
    zipped(tmp_path / "pets.zip", members)
    many.set_input_files(INPUT, tmp_path / "pets.zip")
    done(many, "2 photos done.")
    paths = many.locator("#many .item .path").all_text_contents()
    assert paths == ["pets.zip/a/pet.jpg", "pets.zip/b/pet.jpg"]
    many.get_by_role("button", name="Open pets.zip/b/pet.jpg").click()
    many.wait_for_selector("#photo[data-state=done]")
    assert many.evaluate("document.querySelector('#photo .look img').naturalWidth") == 480


def test_a_folder_keeps_its_paths(many, photos, tmp_path):
    for place in ("in/a", "in/b"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "pet.jpg").write_bytes((photos / "dog.jpg").read_bytes())
    many.set_input_files("#many input[webkitdirectory]", tmp_path / "in")
    done(many, "2 photos done.")
    paths = sorted(many.locator("#many .item .path").all_text_contents())
    assert paths == ["in/a/pet.jpg", "in/b/pet.jpg"]


def test_many_photos_show_their_progress_and_can_be_stopped_and_go_on(
    visit, serve, photos, tmp_path
):
    turns = Semaphore(1)
    served = serve(FakeCaptioner(turns=turns))
    page = visit(served.url)
    page.get_by_role("tab", name="Many photos").click()
    cat = (photos / "cat.png").read_bytes()
    for index in range(30):
        (tmp_path / f"{index:03}.png").write_bytes(cat)
    page.set_input_files(INPUT, sorted(tmp_path.iterdir()))
    done(page, "8 of 30 photos done.")
    assert page.locator("#many progress").evaluate("bar => bar.value / bar.max") == 8 / 30
    turns.release()
    done(page, "16 of 30 photos done.")
    page.get_by_role("button", name="Stop").click()
    done(page, "Stopped after 16 of 30 photos.")
    assert "error" not in page.locator("#many .status").get_attribute("class")
    turns.release(99)
    page.wait_for_timeout(500)
    assert page.locator("#many .item").count() == 16
    page.get_by_role("button", name="Go on").click()
    done(page, "30 photos done.")
    paths = page.locator("#many .item .path").all_text_contents()
    assert paths == [f"{index:03}.png" for index in range(30)]


def test_who_stops_amid_an_archive_stops_the_server_too(
    visit, serve, photos, tmp_path, monkeypatch
):
    turns, left = Semaphore(1), Event()

    class Told(endpoints.AlbumResponse):
        async def listen_for_disconnect(self, receive):
            await super().listen_for_disconnect(receive)
            left.set()

    monkeypatch.setattr(endpoints, "AlbumResponse", Told)
    served = serve(FakeCaptioner(turns=turns))
    asked = served.blocks.app_kwargs["routes"][-1].endpoint.__self__
    page = visit(served.url)
    page.get_by_role("tab", name="Many photos").click()
    cat = (photos / "cat.png").read_bytes()
    zipped(tmp_path / "many.zip", {f"{index:03}.png": cat for index in range(200)})
    page.set_input_files(INPUT, tmp_path / "many.zip")
    done(page, "8 of 200 photos done.")
    page.get_by_role("button", name="Stop").click()
    done(page, "Stopped after 8 of 200 photos.")
    assert left.wait(60) and asked._albums == 1  # the server heard of it, amid a batch
    turns.release(99)
    wait_for(lambda: not asked._albums, page)  # nothing more is made for it
    assert len(served.fakes[0].batches) < 6
    page.get_by_role("button", name="Go on").click()
    done(page, "200 photos done.")
    paths = page.locator("#many .item .path").all_text_contents()
    assert paths == [f"many.zip/{index:03}.png" for index in range(200)]


def test_too_many_photos_are_refused_before_they_are_sent(many):
    sent = []
    many.on("request", lambda request: sent.append(request.url))
    many.evaluate(
        """async () => { const {take} = await import('/page/many.js');
        take(Array.from({length: 1001}, (_, index) =>
          ({path: `${index}.jpg`, file: new File([], `${index}.jpg`)}))); }"""
    )
    done(many, "These are 1,001 photos together, and the page takes 1,000")
    many.wait_for_timeout(300)
    assert "1,000" in status(many, "many") and not [url for url in sent if "upload" in url]


def test_a_thousand_rows_stay_quick_and_are_sorted_and_filtered(many):
    many.evaluate(
        """async () => { const {Album} = await import('/page/album.js');
        window.album = new Album(document.querySelector('#many .album'), {change() {}});
        album.add(Array.from({length: 1000}, (_, index) => ({path: `d/${index}.jpg`,
          caption: index % 3 ? 'A dog.' : 'A cat.', score: (index * 37 % 1000) / 1000,
          thumbnail: 'data:,'}))); }"""
    )
    items = many.locator("#many .item")
    assert items.count() == 1000
    many.get_by_label("Find").fill("cat")
    assert items.count() == 334
    many.get_by_label("Find").fill("")
    many.get_by_label("Order").select_option("doubt")
    assert items.first.locator(".path").text_content() == "d/0.jpg"
    scores = [int(path[2:-4]) * 37 % 1000 for path in items.locator(".path").all_text_contents()]
    assert scores == sorted(scores)
    many.get_by_label("Caption of d/5.jpg").fill("Mine.")
    many.get_by_label("Show").select_option("edited")
    assert items.locator(".path").all_text_contents() == ["d/5.jpg"]
    many.get_by_label("Show").select_option("failed")
    assert many.get_by_text("None is like that.").is_visible()
    took = many.evaluate(
        """() => { const began = performance.now();
        for (const shown of ['all', 'doubtful', 'all']) {
          document.querySelector('[name=shown]').value = shown;
          album.arrange();
          document.querySelector('#many .items').getBoundingClientRect();
        } return performance.now() - began; }"""
    )
    assert took < 5000


def test_the_wishes_of_the_first_view_are_followed_only_on_request(many, served, photos):
    many.get_by_role("tab", name="Photo", exact=True).click()
    many.get_by_text("How should it write?").click()
    many.get_by_label("Start with …").fill("zzz")
    many.get_by_role("tab", name="Many photos").click()
    many.set_input_files(INPUT, [photos / "dog.jpg"])
    done(many, "1 photo done.")
    assert served.fakes[0].batches[-1][1].prefix == ""
    many.get_by_label("Write as chosen").check()
    many.set_input_files(INPUT, [photos / "cat.png"])
    done(
        many, "the start of the sentence: the model does not know 'zzz'"
    )  # said once, and no photo is blamed
    assert many.locator("#many .item").count() == 1


def test_the_save_bar_stays_in_sight(many, photos, tmp_path):
    for index in range(20):
        (tmp_path / f"{index}.png").write_bytes((photos / "cat.png").read_bytes())
    many.set_input_files(INPUT, sorted(tmp_path.iterdir()))
    done(many, "20 photos done.")
    many.evaluate("scrollTo(0, 300)")
    bar = many.get_by_role("group", name="Save all captions").bounding_box()
    assert bar["y"] + bar["height"] <= 900
    assert SENTENCES[0].capitalize() in many.locator("#many textarea").first.input_value()
