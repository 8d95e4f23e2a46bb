"""The sentence of the first view: how it is written, rewritten, corrected and taken home."""

import json

import numpy as np
from browsing import CHIPS, DONE, SENTENCE, WORDS, ask, hold_timers, let_go, seen, until
from fake_captioner import SENTENCES, FakeCaptioner, blob
from PIL import Image

from tests.waiting import wait_for


def test_the_choices_are_followed(dog, served):
    dog.get_by_text("How should it write?").click()
    for label, used in (
        ("Longer", {"min_words": 12, "length_penalty": 1.2}),
        ("Shorter", {"max_words": 8, "min_words": 0}),
        ("Several that differ", {"groups": 4, "alternatives": 9, "max_words": 8}),
    ):
        dog.get_by_label(label).check()
        until_used(dog, served, **used)
    dog.get_by_text("Expert").click()
    dog.get_by_label("Words to avoid").fill("green, the")
    dog.locator("[name=beam]").fill("6")
    dog.locator("[name=temperature]").fill("1")
    dog.get_by_label("Seed").fill("3")
    dog.get_by_label("Take the sentence").uncheck()
    dog.get_by_label("What it writes about").select_option("flickr30k")
    until_used(
        dog, served, beam=6, temperature=1.0, seed=3, avoid=("green", "the"), consensus=False,
        style="flickr30k",
    )  # fmt: skip
    until(dog, "document.querySelector('.avoided').textContent === 'Also avoided: greens, thes.'")
    dog.get_by_role("button", name="The usual again").click()
    until_used(dog, served, beam=10, temperature=0.0, avoid=(), consensus=True, alternatives=0)


def until_used(page, served, **wanted):
    for _ in range(600):
        used = served.fakes[0].batches[-1][1]
        if all(getattr(used, name) == value for name, value in wanted.items()):
            return
        page.wait_for_timeout(50)
    raise AssertionError((used, wanted))


def test_a_word_offers_what_nearly_stood_there_and_rewrites_from_it(dog, served):
    rewrite = dog.locator("#photo .rewrite")
    assert rewrite.is_hidden()
    dog.locator(CHIPS).nth(2).click()
    others = rewrite.locator(".others button")
    assert others.all_inner_texts() == ["horse 5\u00a0%", "boat 2\u00a0%"]  # not the kite's 0.1 %
    others.nth(1).click()
    until(dog, "document.querySelector('#photo .words').textContent.startsWith('A dog boat')")
    assert served.fakes[0].batches[-1][1].prefix == "a dog boat"
    dog.locator(CHIPS).nth(0).click()
    others.first.click()
    until(dog, "document.querySelector('#photo .words').textContent.startsWith('Horse')")
    undo = dog.get_by_role("button", name="Undo")
    undo.click()
    assert dog.locator("#photo .words").inner_text().startswith("A dog boat")
    undo.click()
    assert dog.locator("#photo .words").inner_text() == SENTENCE
    assert undo.count() == 0


def test_the_last_sentence_stays_until_the_next_is_there(dog):
    held = []
    dog.route("**/ask/caption", lambda route: held.append(route))
    before = dog.locator("#photo .look .photo").bounding_box()
    dog.locator(CHIPS).nth(2).click()
    dog.locator("#photo .rewrite .others button").first.click()
    dog.wait_for_selector("#photo[data-state=again]")
    assert dog.locator("#photo .words").inner_text() == SENTENCE
    assert dog.locator("#photo .look .photo").bounding_box() == before  # nothing jumps
    wait_for(lambda: held, dog)  # it is asked for
    held[0].continue_()
    dog.wait_for_selector(DONE)
    assert dog.locator("#photo .words").inner_text().startswith("A dog horse")


def test_alternatives_say_something_else(dog):
    dog.get_by_text("How should it write?").click()
    dog.get_by_label("Several that differ").check()
    cards = dog.locator("#photo .alternatives .card")
    cards.nth(2).wait_for()
    assert cards.count() == 3
    said = set(SENTENCES[0].split())
    for card in cards.all():
        card.locator(".word").first.wait_for()  # they come when its photo is there
        words = {word.lower() for word in card.locator(".word").all_inner_texts()}
        assert words - said
        said |= words
    dog.mouse.move(2, 2)
    photo = "#photo .alternatives .card:nth-child(1) .photo"
    before, others = seen(dog, photo), seen(dog)
    cards.first.locator(".word").first.click()
    dog.mouse.move(2, 2)
    assert np.abs(seen(dog, photo) - before).mean() > 5
    assert np.abs(seen(dog) - others).mean() < 1  # the large photo is another sentence's


def test_a_twin_is_not_shown_as_an_alternative(visit):
    page = visit()
    kept = page.evaluate(
        """async () => { const {different} = await import('/page/alternatives.js');
        const say = (text) => ({words: text.split(' '), alternatives: []});
        return different({...say('a dog on a beach'), alternatives: [
          say('the dog is on the beach'), say('a dog with a ball'), say('a ball and a dog'),
        ]}).map(({words}) => words.join(' ')); }"""
    )
    assert kept == ["a dog with a ball"]


def test_how_sure_it_is_is_said_in_words_that_mean_the_same_everywhere(visit, serve, photos):
    for confidence, said in (
        (0.2949, "Probably wrong: people would accept 29\u00a0%"), (0.05, "Hardly a photo"),
        (None, "On average"),
    ):  # fmt: skip
        page = visit(serve(FakeCaptioner(confidence=confidence)).url, reduced_motion="reduce")
        ask(page, photos / "dog.jpg", rest=False)
        one = page.locator("#photo .sure").inner_text()
        assert one.startswith(said)
        page.get_by_role("tab", name="Many photos").click()
        page.locator("#many input[type=file]").first.set_input_files([photos / "dog.jpg"])
        row = page.locator("#many .item .sure")
        row.wait_for()
        assert row.text_content() == one  # a row not yet drawn has no inner text


def test_the_sentence_can_be_copied_corrected_and_read_aloud(dog):
    dog.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hold_timers(dog)
    copied = "navigator.clipboard.readText()"
    button = dog.get_by_role("button", name="Copy", exact=True)
    button.click()
    note = dog.locator("#photo .note")
    until(dog, "document.querySelector('#photo .note').textContent === 'Copied.'")
    assert dog.evaluate(copied) == SENTENCE
    near, far = button.bounding_box(), note.bounding_box()
    assert abs(near["y"] - far["y"]) < 60
    let_go(dog)
    until(dog, "document.querySelector('#photo .note').textContent === ''")  # it goes again
    dog.get_by_role("button", name="Edit").click()
    field = dog.get_by_label("The caption, to correct")
    assert field.input_value() == SENTENCE
    field.fill('A "spotted" dog & its ball.')
    field.press("Enter")
    assert dog.locator("#photo .own-words").inner_text() == 'A "spotted" dog & its ball.'
    dog.get_by_role("button", name="Copy as alt text").click()
    until(dog, "document.querySelector('#photo .note').textContent === 'Copied.'")
    assert dog.evaluate(copied) == 'alt="A &quot;spotted&quot; dog &amp; its ball."'
    dog.evaluate("() => { speechSynthesis.speak = (said) => (window.said = said.text); }")
    dog.get_by_role("button", name="Listen").click()
    assert dog.evaluate("said") == 'A "spotted" dog & its ball.'
    dog.get_by_role("button", name="The model’s own words").click()
    assert dog.locator("#photo .own-words").is_hidden()


def test_what_a_person_wrote_stays_until_they_take_the_model_s_words(dog):
    own, words = dog.locator("#photo .own-words"), dog.locator("#photo .words")
    field, kept = dog.get_by_label("The caption, to correct"), dog.locator("#photo p.renewed")
    dog.get_by_role("button", name="Edit").click()
    field.fill("My dog Rex.")
    field.press("Control+Enter")
    assert own.inner_text() == "My dog Rex." and kept.is_hidden()
    dog.get_by_text("How should it write?").click()
    dog.get_by_label("Start with …").fill("here")
    until(dog, "document.querySelector('#photo .words').textContent.startsWith('Here a dog')")
    assert own.inner_text() == "My dog Rex."
    assert kept.is_visible()
    assert "Your words are kept." in dog.locator("#photo .heard").text_content()
    dog.get_by_role("button", name="The model’s own words").click()
    assert own.is_hidden() and kept.is_hidden() and words.inner_text().startswith("Here a dog")


def test_a_correction_that_is_being_written_is_not_cut_off(dog):
    field, start = dog.get_by_label("The caption, to correct"), dog.get_by_label("Start with …")
    dog.get_by_text("How should it write?").click()
    dog.get_by_role("button", name="Edit").click()
    start.fill("here")  # nothing has been written yet
    until(dog, "document.querySelector('#photo textarea').value.startsWith('Here a dog')")
    field.fill("My dog")
    start.fill("there")
    until(dog, "document.querySelector('#photo .words').textContent.startsWith('There a dog')")
    assert field.input_value() == "My dog" and field.is_visible()
    field.press("Escape")
    assert dog.locator("#photo .words").inner_text().startswith("There a dog")


def test_everything_can_be_taken_home(dog, browser, tmp_path):
    dog.get_by_text("Save and share").click()

    def saved(label):
        with dog.expect_download() as download:
            dog.get_by_role("button", name=label).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    kept = json.loads(saved("Attention (JSON)").read_text())
    assert kept["photo"] == "dog.jpg" and kept["words"] == WORDS
    np.testing.assert_allclose(kept["attention"][2], blob(2, len(WORDS)), atol=1e-5)
    sheet = Image.open(saved("Panels (PNG)"))
    assert sheet.format == "PNG" and sheet.width > 500
    for label, kind in (("Animation (WebP)", "WEBP"), ("Animation (GIF)", "GIF")):
        path = saved(label)
        walk = Image.open(path)
        assert path.stem == "dog" and walk.format == kind and walk.n_frames == len(WORDS) + 1
    page = saved("Page (HTML)")
    assert page.name == "dog.html"
    alone_without_a_network(browser, page)


def alone_without_a_network(browser, path):
    """The saved page works by itself: it asks for nothing, plays, and shows each word's map."""
    context = browser.new_context(offline=True, reduced_motion="reduce")
    page, asked, wrong = context.new_page(), [], []
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".word.on").wait_for()
    assert page.locator(".words").inner_text() == SENTENCE
    assert page.title() == SENTENCE
    before = seen(page, ".photo")
    assert before.std() > 10
    page.locator(".word").nth(2).hover()
    assert np.abs(seen(page, ".photo") - before).mean() > 3
    page.evaluate("pace.word = 600_000")  # it is not over before it is looked for
    page.locator(".play").click()
    until(page, "document.querySelector('.play').textContent.includes('Stop')")
    assert wrong == [] and not [url for url in asked if not url.startswith(("file:", "data:"))]
    context.close()
