"""A word and where the model looked for it, in a real browser."""

from itertools import pairwise

import numpy as np
import pytest
from browsing import CHIPS, WORDS, ask, seen, until
from fake_captioner import SENTENCES, blob
from PIL import Image

from captioner.overlay import overlay
from tests.waiting import wait_for


def test_each_word_lays_its_own_attention_over_the_photo(dog, photos):
    """Pixel by pixel what captioner.overlay draws for the command line, and different each time."""
    requests = []
    dog.on("request", lambda request: requests.append(request.url))
    plain = seen(dog)
    size = plain.shape[1], plain.shape[0]
    photo = Image.open(photos / "dog.jpg").resize(size, Image.Resampling.BILINEAR)
    pictures = [plain]
    for index, word in enumerate(WORDS):
        dog.locator(CHIPS).nth(index).hover()
        pictures.append(seen(dog))
        assert dog.locator(CHIPS + ".on").inner_text().lower() == word
        expected = np.asarray(overlay(photo, blob(index, len(WORDS)))).astype(float)
        assert np.abs(pictures[-1] - expected).mean() < 4, word
    for one, other in pairwise(pictures):
        assert np.abs(one - other).mean() > 5
    dog.mouse.move(5, 5)
    assert np.abs(seen(dog) - plain).mean() < 1
    assert requests == []  # all of this without the server


def test_the_overlay_glides(dog):
    """Between two words' attention lie many pictures unlike both."""
    dog.locator(CHIPS).nth(0).hover()
    first = seen(dog)
    dog.evaluate(
        """() => {
        // Time goes on by a twelfth of the way with each picture, however long that one takes.
        const next = requestAnimationFrame;
        let now = performance.now();
        performance.now = () => now;
        window.requestAnimationFrame = (act) => next(() => act(now += captioner.pace.glide / 12));
        const canvas = document.querySelector('#photo .look canvas');
        window.steps = new Set();
        const note = () => { steps.add(canvas.toDataURL()); next(note); };
        note(); }"""
    )
    dog.locator(CHIPS).nth(6).hover()
    assert np.abs(seen(dog) - first).mean() > 5
    assert dog.evaluate("steps.size") > 3


def test_the_photo_keeps_its_proportions(visit, photos):
    page = visit(reduced_motion="reduce")
    for name in ("dog.jpg", "cat.png", "wide.png"):
        ask(page, photos / name)
        with Image.open(photos / name) as photo:
            expected = photo.width / photo.height
        for selector in ("#photo .look .photo", "#photo .strip .photo"):
            box = page.locator(selector).first.bounding_box()
            assert box["width"] / box["height"] == pytest.approx(expected, rel=0.05)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_strength_can_be_set(dog):
    dog.locator(CHIPS).nth(3).click()
    dog.mouse.move(5, 5)
    strong = seen(dog)
    slider = dog.get_by_label("Strength of the overlay")
    slider.fill("0")
    assert np.abs(seen(dog) - strong).mean() > 5
    slider.fill("70")
    assert np.abs(seen(dog) - strong).mean() < 1


def test_the_chips_light_up_by_how_much_they_looked_at_the_place(dog):
    box = dog.locator("#photo .look .photo").bounding_box()
    for part in (0.1, 0.5, 0.9):
        dog.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] * part)
        lights = dog.evaluate(
            f"[...document.querySelectorAll('{CHIPS}')].map((chip) =>"
            " Number(chip.style.getPropertyValue('--light')))"
        )
        # The fake's words look along the diagonal, from the first in the corner to the last.
        assert np.argmax(lights) == int(part * len(WORDS))
        assert max(lights) == pytest.approx(1, abs=0.01) and min(lights) < 0.2
    dog.mouse.move(2, 2)
    assert "1" not in dog.evaluate(
        f"[...document.querySelectorAll('{CHIPS}')].map((c) => c.style.getPropertyValue('--light'))"
    )


def test_play_walks_through_the_sentence(dog):
    dog.evaluate(
        """() => { window.walked = []; window.called = [];
        Object.assign(captioner.pace, {glide: 10, word: 50, letter: 5});
        const words = document.querySelector('#photo .words');
        new MutationObserver(() => {
          const on = words.querySelector('.on')?.textContent.toLowerCase();
          if (on && on !== walked.at(-1)) walked.push(on);
        }).observe(words, {subtree: true, attributes: true});
        const play = document.querySelector('#photo .play');
        new MutationObserver(() => called.push(play.textContent))
          .observe(play, {childList: true}); }"""
    )
    play = dog.locator("#photo .play")
    play.click()
    until(dog, f"walked.length === {len(WORDS)}")
    until(dog, "called.length === 2")
    assert dog.evaluate("walked") == WORDS
    called = dog.evaluate("called")
    assert "Stop" in called[0] and "Play" in called[1]
    dog.evaluate("captioner.pace.word = 600_000")
    play.click()
    assert "Stop" in play.inner_text()
    play.click()
    assert "Play" in play.inner_text()
    assert dog.locator(CHIPS + ".on").count() == 0


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_on_arrival_the_maps_play_once_and_rest_on_the_sharpest(visit, photos, motion):
    page = visit(reduced_motion=motion)
    page.evaluate(
        """() => { window.seen = new Set();
        Object.assign(captioner.pace, {glide: 10, word: 100, letter: 5});
        new MutationObserver(() => seen.add(document.querySelector('#photo .word.on')?.textContent))
          .observe(document.querySelector('#photo .words'), {subtree: true, attributes: true}); }"""
    )
    ask(page, photos / "dog.jpg", rest=False)
    peaks = [blob(index, len(WORDS)).max() for index in range(len(WORDS))]
    said = [index for index, word in enumerate(WORDS) if word not in ("a", "the")]
    sharpest = max(said, key=peaks.__getitem__)  # of the words that say something
    until(
        page,
        f"document.querySelectorAll('{CHIPS}')[{sharpest}].getAttribute('aria-pressed') === 'true'"
        " && document.querySelector('#photo .play').textContent.includes('Play')",
    )
    played = page.evaluate("seen.size")
    assert played >= len(WORDS) if motion == "no-preference" else played <= 2
    assert page.locator("#photo .hint").is_visible()
    page.locator(CHIPS).nth(2).hover()
    assert page.locator("#photo .hint").is_hidden()
    page.locator(CHIPS).nth(sharpest).click()  # it stays, and offers what nearly stood there
    offered = page.locator("#photo .rewrite").inner_text()
    assert offered.startswith(f"Instead of “{WORDS[sharpest]}”")
    ask(page, photos / "cat.png")
    assert page.locator("#photo .hint").is_hidden()  # it is said once


def test_the_keyboard_reaches_everything(visit, photos):
    page = visit(reduced_motion="reduce")
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.get_by_role("button", name="Choose a photo").first.focus()
    page.evaluate("new Promise((done) => setTimeout(done, 500))")  # until choosers are caught
    page.keyboard.press("Enter")
    wait_for(lambda: choosers, page)
    choosers[0].set_files(photos / "dog.jpg")
    page.wait_for_selector("#photo[data-state=done]")
    page.locator(CHIPS).first.focus()
    page.keyboard.press("Escape")
    on = page.locator(CHIPS + ".on")
    page.keyboard.press("Home")
    for key, word in (
        ("ArrowRight", "dog"), ("ArrowRight", "runs"), ("End", "grass"), ("ArrowRight", "a"),
        ("ArrowLeft", "grass"), ("Home", "a"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert on.inner_text().lower() == word
    first = seen(page)
    page.keyboard.press("Enter")
    assert page.locator(CHIPS).first.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Tab")  # one step leaves the words
    assert page.evaluate("document.activeElement.textContent") == "Copy"
    assert np.abs(seen(page) - first).mean() < 1  # the chosen word stays
    page.locator(CHIPS).first.focus()
    page.keyboard.press("Escape")
    assert on.count() == 0


def test_whatever_has_the_focus_shows_it(dog):
    """Every control that the tabulator key reaches has an outline, and an example loses none."""
    dog.evaluate("document.querySelectorAll('#photo details').forEach((one) => one.open = true)")
    dog.locator("h1").click()
    seen_ = []
    for _ in range(60):
        dog.keyboard.press("Tab")
        tag, name, outline = dog.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            return [one.tagName, one.name || one.className || one.textContent,
                    style.outlineStyle !== 'none' && parseFloat(style.outlineWidth)]; }"""
        )
        if tag == "BODY":
            break
        seen_.append(name)
        assert outline >= 2, (tag, name)
    assert {"beam", "temperature", "consensus", "strength"} <= set(seen_)


def test_after_an_example_the_focus_is_on_the_sentence(visit):
    page = visit(reduced_motion="reduce")
    page.locator("#photo .examples button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#photo[data-state=done]")
    assert page.evaluate("document.activeElement.className").startswith("word")


def test_who_cannot_see_hears_the_caption_and_where_it_looked(dog):
    caption = SENTENCES[0].capitalize() + "."
    assert dog.get_by_role("img", name=caption, exact=True).count() == 1
    assert dog.locator("#photo .heard").inner_text() == f"Caption: {caption}"
    words = dog.get_by_role("group", name="The caption, word by word").get_by_role("button")
    names = [words.nth(place).get_attribute("aria-label") for place in range(len(WORDS))]
    # The fake's words look along the diagonal.
    assert names[0] == "a: looked at the top left"
    assert names[3] == "across: looked at the middle"
    assert names[6] == "grass: looked at the bottom right"


def test_the_sentence_is_text_that_can_be_selected(dog):
    dog.evaluate("getSelection().selectAllChildren(document.querySelector('#photo .words'))")
    assert dog.evaluate("getSelection().toString()") == SENTENCES[0].capitalize() + "."
