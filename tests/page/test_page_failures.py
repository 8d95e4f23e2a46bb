"""What the first view says where something cannot be done."""

from threading import Semaphore

import pytest
from browsing import CHIPS, DONE, INPUT, ask, status, until, visible
from fake_captioner import FakeCaptioner


def test_a_refused_start_keeps_the_photo_and_a_corrected_one_brings_the_sentence(dog):
    dog.get_by_text("How should it write?").click()
    start = dog.get_by_label("Start with …")
    start.fill("zzz")
    dog.wait_for_selector("#photo[data-state=refused]")
    assert "zzz" in status(dog)
    assert visible(dog, ".look img", ".drop", ".words", ".strip", ".alternatives") == [
        True, False, False, False, False,
    ]  # fmt: skip
    start.fill("here")
    dog.wait_for_selector(DONE)
    assert visible(dog, ".look img", ".drop", ".words", ".strip") == [True, False, True, True]
    assert status(dog) == "" and dog.locator(CHIPS).first.inner_text() == "Here"


@pytest.mark.parametrize(("name", "text"), [("notes.txt", "text"), ("broken.jpg", "broken.jpg")])
def test_what_is_no_picture_is_said_in_words(visit, photos, name, text):
    page = visit(reduced_motion="reduce")
    ask(page, photos / "cat.png", rest=False)
    page.set_input_files(INPUT, photos / name)
    page.wait_for_selector("#photo[data-state=failed]")
    assert status(page).startswith(name) and text in status(page)
    assert visible(page, ".drop", ".look img", ".words", ".strip") == [True, False, False, False]
    ask(page, photos / "dog.jpg", rest=False)  # and the next photo works
    assert status(page) == "" and visible(page, ".drop", ".words") == [False, True]


def test_a_file_too_large_is_not_even_sent(visit, tmp_path):
    (tmp_path / "huge.jpg").touch()
    os_truncate(tmp_path / "huge.jpg", 201 * 2**20)
    page = visit()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.set_input_files(INPUT, tmp_path / "huge.jpg")
    page.wait_for_selector("#photo[data-state=failed]")
    assert "larger than 200 MB" in status(page)
    assert not [url for url in sent if "upload" in url]


def os_truncate(path, size):
    with open(path, "r+b") as file:
        file.truncate(size)


def test_a_busy_page_says_so(visit, photos, monkeypatch):
    monkeypatch.setattr("captioner.page.endpoints.WAITING", 0)
    page = visit()
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_selector("#photo[data-state=refused]")
    assert "busy" in status(page)


def test_a_page_whose_program_has_gone_says_so(visit, serve, photos):
    turns = Semaphore(0)
    page = visit(serve(FakeCaptioner(turns=turns)).url)
    page.set_input_files(INPUT, photos / "dog.jpg")
    until(page, "document.querySelector('#photo .status').textContent === 'Looking …'")
    page.route(lambda url: "/page/ask/" in url or "gradio_api" in url, lambda route: route.abort())
    page.set_input_files(INPUT, photos / "cat.png")
    page.wait_for_selector("#photo[data-state=refused]")
    assert "does not answer" in status(page)
    turns.release(9)


def test_an_answer_that_breaks_off_is_said(visit, photos):
    page = visit()
    half = {"status": 200, "content_type": "application/json", "body": '{"caption": "A do'}
    page.route("**/ask/caption", lambda route: route.fulfill(**half))
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_selector("#photo[data-state=refused]")
    assert "does not answer" in status(page)
