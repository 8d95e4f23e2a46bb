"""The first view in a real browser: one photo, its sentence, and what can be done with them."""

import io
import json
from threading import Semaphore

import numpy as np
import pytest
from browsing import CHIPS, DONE, INPUT, WORDS, ask, give, seen, status, until
from fake_captioner import LONG, SENTENCES, FakeCaptioner, blob
from PIL import Image

SENTENCE = SENTENCES[0].capitalize() + "."
CHIPS_SHOWN = f"document.querySelectorAll('{CHIPS}').length"


def visible(page, *selectors):
    return [page.locator(f"#photo {selector}").first.is_visible() for selector in selectors]


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


def test_alternatives_say_something_else(dog):
    dog.get_by_text("How should it write?").click()
    dog.get_by_label("Several that differ").check()
    cards = dog.locator("#photo .alternatives .card")
    cards.nth(2).wait_for()
    assert cards.count() == 3
    said = set(SENTENCES[0].split())
    for card in cards.all():
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
        assert row.inner_text() == one


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


def test_a_picture_that_the_browser_cannot_show_comes_back_as_one_it_can(visit, photos):
    page = visit(reduced_motion="reduce")
    ask(page, photos / "scan.tiff")
    assert page.evaluate("document.querySelector('#photo .look img').naturalWidth") == 400
    assert seen(page).std() > 10


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
    assert items.locator(".path").all_inner_texts() == list(names)
    assert page.get_by_role("tab", name="Many photos").get_attribute("aria-selected") == "true"


def test_the_sentence_can_be_copied_corrected_and_read_aloud(dog):
    dog.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copied = "navigator.clipboard.readText()"
    button = dog.get_by_role("button", name="Copy", exact=True)
    button.click()
    note = dog.locator("#photo .note")
    until(dog, "document.querySelector('#photo .note').textContent === 'Copied.'")
    assert dog.evaluate(copied) == SENTENCE
    near, far = button.bounding_box(), note.bounding_box()
    assert abs(near["y"] - far["y"]) < 60
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
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(path.as_uri())
    page.locator(".word.on").wait_for()
    assert page.locator(".words").inner_text() == SENTENCE
    assert page.title() == SENTENCE
    before = seen(page, ".photo")
    assert before.std() > 10
    page.locator(".word").last.hover()
    assert np.abs(seen(page, ".photo") - before).mean() > 3
    page.locator(".play").click()
    until(page, "document.querySelector('.play').textContent.includes('Stop')")
    assert wrong == [] and not [url for url in asked if not url.startswith(("file:", "data:"))]
    context.close()


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_photo_sentence_and_copy_are_on_the_first_screen(visit, photos, width):
    page = visit(
        viewport={"width": width, "height": 844}, has_touch=True, is_mobile=True,
        device_scale_factor=2, reduced_motion="reduce",
    )  # fmt: skip
    ask(page, photos / "dog.jpg", rest=False)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("scrollTo(0, 0)")
    for selector in (".look .photo", ".words", "[data-act=copy]", ".more >> nth=0"):
        box = page.locator(f"#photo {selector}").first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= 844, selector
    assert page.locator("#photo .look .photo").bounding_box()["width"] > width - 40
    plain = seen(page)
    page.locator(CHIPS).nth(1).tap()
    tapped = seen(page)
    page.locator(CHIPS).nth(5).tap()
    assert np.abs(seen(page) - tapped).mean() > 5 and np.abs(tapped - plain).mean() > 3
    small = page.evaluate(
        "[...document.querySelectorAll('.word, .button, [role=tab], summary')].filter((e) =>"
        " e.offsetHeight && e.offsetHeight < 24).map((e) => e.textContent)"
    )
    assert small == []  # a finger hits them all (WCAG 2.2, 2.5.8)
    page.locator("#photo .look .photo").tap(position={"x": 20, "y": 20})
    light = f"document.querySelector('{CHIPS}').style.getPropertyValue('--light')"
    assert page.evaluate(light) > "0.9"


def test_a_long_sentence_and_a_wide_photo_fit(visit, photos, tmp_path):
    Image.new("RGB", (300, 200), "white").save(tmp_path / "white.png")
    for width in (320, 1280):
        page = visit(viewport={"width": width, "height": 800}, reduced_motion="reduce")
        for photo in (tmp_path / "white.png", photos / "wide.png"):
            ask(page, photo, rest=False)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ask(page, tmp_path / "white.png", rest=False)
        assert page.locator(CHIPS).count() == len(LONG.split())


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
    while not turns._cond._waiters:  # the first is being looked at
        page.wait_for_timeout(20)
    page.set_input_files(INPUT, photos / "cat.png")
    turns.release(9)
    page.wait_for_selector(DONE)
    assert len(slow.fakes[0].batches) == 2
    assert page.evaluate("document.querySelector('#photo .look img').naturalWidth") == 480
    assert page.locator(CHIPS).count() == len(WORDS)


def test_a_busy_page_says_so(visit, serve, photos):
    full = serve(FakeCaptioner(seconds=0.1), max_size=0)
    page = visit(full.url)
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_selector("#photo[data-state=refused]")
    assert "busy" in status(page)


def test_a_page_whose_program_has_gone_says_so(visit, serve, photos):
    turns = Semaphore(0)
    page = visit(serve(FakeCaptioner(turns=turns)).url)
    page.set_input_files(INPUT, photos / "dog.jpg")
    until(page, "document.querySelector('#photo .status').textContent === 'Looking …'")
    page.route("**/gradio_api/**", lambda route: route.abort())
    page.set_input_files(INPUT, photos / "cat.png")
    page.wait_for_selector("#photo[data-state=refused]")
    assert "does not answer" in status(page)
    turns.release(9)


def test_an_answer_that_breaks_off_is_said(visit, photos):
    page = visit()
    half = {"status": 200, "content_type": "text/event-stream", "body": "event: heartbeat\n\n"}
    page.route("**/call/caption_with/*", lambda route: route.fulfill(**half))
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_selector("#photo[data-state=refused]")
    assert "does not answer" in status(page)


def luminance(rgb):
    value = np.array(rgb) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(visit, photos, scheme):
    """Text against what lies behind it, by WCAG's contrast of at least 4.5 to 1."""
    page = visit(color_scheme=scheme, reduced_motion="reduce")
    contrasts(page, "#photo .intro", ".drop .big", ".button.primary", "[role=tab]", "footer p")
    ask(page, photos / "dog.jpg", rest=False)
    contrasts(
        page, "#photo .sure", CHIPS, f"{CHIPS}.on", "#photo .strip span", "[aria-selected=true]",
        ".legend span", "summary",
    )  # fmt: skip


def contrasts(page, *selectors):
    for selector in selectors:
        ink, paper = page.evaluate(
            """(selector) => {
            let element = document.querySelector(selector);
            const ink = getComputedStyle(element).color;
            const paint = document.createElement('canvas').getContext('2d');
            const bytes = (colour) => {
              paint.clearRect(0, 0, 1, 1);
              paint.fillStyle = colour;
              paint.fillRect(0, 0, 1, 1);
              return [...paint.getImageData(0, 0, 1, 1).data];
            };
            const behind = () => getComputedStyle(element).backgroundColor;
            while (element.parentElement && bytes(behind())[3] < 255)
              element = element.parentElement;
            return [ink, behind()].map((colour) => bytes(colour).slice(0, 3));
            }""",
            selector,
        )
        high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (selector, ink, paper)


def test_forced_colours_hide_no_control(visit, photos):
    page = visit(forced_colors="active", reduced_motion="reduce")
    ask(page, photos / "dog.jpg", rest=False)
    page.evaluate("document.querySelectorAll('#photo details').forEach((one) => one.open = true)")
    for selector in ("[name=beam]", "[name=consensus]", ".strength", "[name=extent] >> nth=0"):
        picture = page.locator(f"#photo {selector}").first.screenshot()
        assert np.asarray(Image.open(io.BytesIO(picture)).convert("L")).std() > 5, selector
    on = seen(page, f"{CHIPS}.on")
    assert np.abs(on.mean((0, 1)) - seen(page, f"{CHIPS}:not(.on)").mean((0, 1))).max() > 30
