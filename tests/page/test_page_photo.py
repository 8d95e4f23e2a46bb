"""The first view in a real browser: how a photo gets in, and whose answer is shown."""

from threading import Semaphore

import pytest
from browsing import CHIPS, DONE, INPUT, WORDS, ask, drawn, give, seen, until, visible
from fake_captioner import FakeCaptioner

from tests.waiting import wait_for


def test_the_first_screen_says_what_it_is_for(visit):
    page = visit()
    assert "Your photo stays on this computer." in page.locator("#photo .intro").inner_text()
    drop = page.locator("#photo .drop").bounding_box()
    assert drop["width"] > 1000 and drop["height"] > 300
    assert page.locator("#photo .examples img").count() >= 3
    for image in page.locator("#photo .examples img").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    assert visible(page, "[name=extent]", "[name=beam]") == [False, False]
    page.get_by_text("How should it write?").click()
    assert visible(page, "[name=extent]", "[name=prefix]", "[name=beam]") == [True, True, False]
    assert page.title() == "captioner: a photo in, a sentence out"
    for head in ("og:title", "og:description"):
        assert "gradio" not in page.get_attribute(f"meta[property='{head}']", "content").lower()


def test_a_picture_that_the_browser_cannot_show_comes_back_as_one_it_can(visit, photos):
    page = visit(reduced_motion="reduce")
    ask(page, photos / "scan.tiff")
    assert page.evaluate("document.querySelector('#photo .look img').naturalWidth") == 400
    assert seen(page).std() > 10


def test_photos_of_a_telephone_are_read_and_shown(visit, tmp_path):
    """HEIC, which hardly a browser shows: the server's picture of it is looked at."""
    heif = pytest.importorskip("pillow_heif", reason="needs pillow-heif (requirements-dev.txt)")
    heif.from_pillow(drawn("phone", (320, 240))).save(tmp_path / "IMG_1.HEIC")
    page = visit(reduced_motion="reduce")
    ask(page, tmp_path / "IMG_1.HEIC")
    assert page.evaluate("document.querySelector('#photo .look img').naturalWidth") == 320
    assert seen(page).std() > 10
    page.get_by_role("tab", name="Many photos").click()
    page.set_input_files("#many input[type=file] >> nth=0", tmp_path / "IMG_1.HEIC")
    image = page.locator("#many .item img")
    shown = "image => image.decode().then(() => image.naturalWidth / image.naturalHeight)"
    assert image.evaluate(shown) == pytest.approx(4 / 3, abs=0.02)


@pytest.mark.parametrize("target", ["body", "footer", "#photo .drop", "header"])
def test_a_photo_is_taken_wherever_it_is_dropped(visit, photos, target):
    page = visit(reduced_motion="reduce")
    give(page, [("dog.jpg", (photos / "dog.jpg").read_bytes())], target=target)
    page.wait_for_selector(DONE)
    assert page.evaluate("document.querySelector('#photo .look img').naturalWidth") == 640


def test_photos_are_pasted_and_tried(visit, photos):
    page = visit(reduced_motion="reduce")
    page.locator("#photo .examples button").first.click()
    page.wait_for_selector(DONE)
    give(page, [("cat.jpg", (photos / "cat.png").read_bytes())], "paste")
    until(page, "document.querySelector('#photo .look img').naturalWidth === 480")
    page.wait_for_selector(DONE)


def test_several_photos_dropped_at_once_go_to_many(visit, photos):
    page = visit()
    names = ("dog.jpg", "cat.png", "wide.png")
    give(page, [(name, (photos / name).read_bytes()) for name in names])
    items = page.locator("#many .item")
    items.nth(2).wait_for()
    assert items.locator(".path").all_text_contents() == list(names)
    assert page.get_by_role("tab", name="Many photos").get_attribute("aria-selected") == "true"


def test_two_visitors_at_once(visit, photos):
    one, other = visit(reduced_motion="reduce"), visit(reduced_motion="reduce")
    one.set_input_files(INPUT, photos / "dog.jpg")
    other.set_input_files(INPUT, photos / "cat.png")
    for page in (one, other):
        page.wait_for_selector(DONE)
    width = "document.querySelector('#photo .look img').naturalWidth"
    assert [page.evaluate(width) for page in (one, other)] == [640, 480]


def test_the_newest_photo_wins(visit, serve, photos):
    """A photo chosen while another is looked at: its caption is the one that stays."""
    turns = Semaphore(0)
    slow = serve(FakeCaptioner(turns=turns))
    page = visit(slow.url, reduced_motion="reduce")
    page.set_input_files(INPUT, photos / "dog.jpg")
    until(page, "document.querySelector('#photo .status').textContent === 'Looking …'")
    wait_for(lambda: turns._cond._waiters, page)  # the first is being looked at
    page.set_input_files(INPUT, photos / "cat.png")
    turns.release(9)
    page.wait_for_selector(DONE)
    assert len(slow.fakes[0].batches) == 2
    assert page.evaluate("document.querySelector('#photo .look img').naturalWidth") == 480
    assert page.locator(CHIPS).count() == len(WORDS)
