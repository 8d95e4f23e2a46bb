"""What the first view says where something cannot be done."""

from threading import Semaphore

import pytest
from browsing import CHIPS, DONE, INPUT, SENTENCE, ask, status, until, visible
from fake_captioner import FakeCaptioner


def test_a_refused_start_keeps_the_photo_and_a_corrected_one_brings_the_sentence(visit, photos):
    page = visit(reduced_motion="reduce")
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_selector(DONE)
    page.get_by_text("How should it write?").click()
    start = page.get_by_label("Start with …")
    start.fill("zzz")
    page.wait_for_selector("#photo[data-state=kept]")
    page.set_input_files(INPUT, photos / "cat.png")  # has no sentence to keep
    page.wait_for_selector("#photo[data-state=refused]")
    assert "zzz" in status(page)
    assert visible(page, ".look img", ".drop", ".words", ".strip", ".alternatives") == [
        True, False, False, False, False,
    ]  # fmt: skip
    start.fill("here")
    page.wait_for_selector(DONE)
    assert visible(page, ".look img", ".drop", ".words", ".strip") == [True, False, True, True]
    assert status(page) == "" and page.locator(CHIPS).first.inner_text() == "Here"


def test_a_sentence_stays_with_all_its_buttons_where_no_other_takes_its_place(dog, tmp_path):
    words = dog.locator("#photo .words")
    dog.locator(CHIPS).nth(2).click()
    dog.locator("#photo .rewrite .others button").first.click()
    until(dog, "document.querySelector('#photo .words').textContent.startsWith('A dog horse')")
    rewritten = words.inner_text()
    dog.get_by_text("How should it write?").click()
    dog.get_by_label("Start with …").fill("zzz")
    dog.wait_for_selector("#photo[data-state=kept]")
    assert "zzz" in status(dog) and words.inner_text() == rewritten
    assert dog.locator("#photo .heard").text_content() == ""
    assert visible(dog, ".look img", ".play", "[data-act=copy]", ".strip") == [True] * 4
    (tmp_path / "huge.jpg").touch()
    os_truncate(tmp_path / "huge.jpg", 201 * 2**20)
    dog.set_input_files(INPUT, tmp_path / "huge.jpg")
    until(dog, "document.querySelector('#photo .status').textContent.includes('huge.jpg')")
    assert words.inner_text() == rewritten
    dog.get_by_role("button", name="Undo").click()
    assert words.inner_text() == SENTENCE and status(dog) == ""


def test_a_word_that_could_not_be_exchanged_leaves_nothing_to_undo(dog):
    dog.route("**/ask/caption", lambda route: route.abort())
    dog.locator(CHIPS).nth(2).click()
    dog.locator("#photo .rewrite .others button").first.click()
    dog.wait_for_selector("#photo[data-state=kept]")
    assert dog.locator("#photo .words").inner_text() == SENTENCE
    dog.locator(CHIPS).nth(1).click()
    assert dog.get_by_role("button", name="Undo").count() == 0


@pytest.mark.parametrize(("name", "text"), [("notes.txt", "text"), ("broken.jpg", "broken.jpg")])
def test_what_is_no_picture_is_said_in_words(visit, photos, name, text):
    page = visit(reduced_motion="reduce")
    ask(page, photos / "cat.png", rest=False)
    heard = page.locator("#photo .heard")
    assert heard.text_content() == f"Caption: {SENTENCE}"
    page.set_input_files(INPUT, photos / name)
    page.wait_for_selector("#photo[data-state=failed]")
    assert heard.text_content() == ""  # no sentence of another photo
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
