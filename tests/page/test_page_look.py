"""The first tab in a real browser: what a visitor sees and does with one photo."""

import io
import json
from itertools import pairwise
from threading import Semaphore

import numpy as np
import pytest
from fake_captioner import LONG, SENTENCES, FakeCaptioner, blob
from PIL import Image

from captioner.overlay import overlay

WORDS = SENTENCES[0].split()
INPUT = "#captioner-one input[type=file]"
CHIPS = ".cap-look .cap-chip"


def ask(page, photo):
    page.set_input_files(INPUT, photo)
    page.wait_for_selector(".cap-done")


def seen(page, selector=".cap-look .cap-photo"):
    """What is on the screen there once nothing moves any more, as an array."""
    page.wait_for_function("!document.querySelector('.cap-gliding')")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = page.locator(selector).first.screenshot()
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(float)


@pytest.fixture
def dog(visit, photos):
    page = visit()
    ask(page, photos / "dog.jpg")
    return page


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
        assert dog.locator(CHIPS + ".cap-on").inner_text().lower() == word
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
        captioner.glide = 4000; // enough for many steps even on a busy machine
        const canvas = document.querySelector('.cap-look canvas');
        window.steps = new Set();
        const note = () => { steps.add(canvas.toDataURL()); requestAnimationFrame(note); };
        note(); }"""
    )
    dog.locator(CHIPS).nth(6).hover()
    assert np.abs(seen(dog) - first).mean() > 5
    assert dog.evaluate("steps.size") > 3


def test_the_photo_keeps_its_proportions(visit, photos):
    page = visit()
    for name in ("dog.jpg", "cat.png", "wide.png"):
        ask(page, photos / name)
        with Image.open(photos / name) as photo:
            expected = photo.width / photo.height
        for selector in (".cap-look .cap-photo", ".cap-strip .cap-photo"):
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
    slider.fill("60")
    assert np.abs(seen(dog) - strong).mean() < 1


def test_the_chips_light_up_by_how_much_they_looked_at_the_place(dog):
    box = dog.locator(".cap-look .cap-photo").bounding_box()
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
        """() => { window.walked = [];
        const words = document.querySelector('.cap-words');
        new MutationObserver(() => {
          const on = words.querySelector('.cap-on')?.textContent;
          if (on && on !== walked.at(-1)) walked.push(on);
        }).observe(words, {subtree: true, attributes: true}); }"""
    )
    play = dog.locator(".cap-play")
    play.click()
    assert "Stop" in play.inner_text()
    dog.wait_for_function(f"walked.length === {len(WORDS)}")
    dog.wait_for_function("document.querySelector('.cap-play').textContent.includes('Play')")
    assert dog.evaluate("walked") == WORDS
    play.click()
    play.click()
    assert "Play" in play.inner_text()
    assert dog.locator(CHIPS + ".cap-on").count() == 0


def test_the_keyboard_reaches_everything(visit, photos):
    page = visit()
    choosers = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.get_by_role("button", name="Choose a photo").focus()
    page.evaluate("new Promise((done) => setTimeout(done, 500))")  # until choosers are caught
    page.keyboard.press("Enter")
    while not choosers:
        page.wait_for_timeout(50)
    choosers[0].set_files(photos / "dog.jpg")
    page.wait_for_selector(".cap-done")
    page.locator(CHIPS).first.focus()
    on = page.locator(CHIPS + ".cap-on")
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
    assert page.evaluate("document.activeElement.className").startswith("cap-button")
    assert np.abs(seen(page) - first).mean() < 1  # the chosen word stays
    page.locator(CHIPS).first.focus()
    page.keyboard.press("Escape")
    assert on.count() == 0


def test_who_cannot_see_hears_the_caption(dog):
    caption = SENTENCES[0].capitalize() + "."
    assert dog.get_by_role("img", name=caption, exact=True).count() == 1
    assert dog.locator(".cap-heard").inner_text() == f"Caption: {caption}"
    words = dog.locator(".cap-look").get_by_role("group", name="The caption, word by word")
    assert words.get_by_role("button").all_inner_texts() == [WORDS[0].upper(), *WORDS[1:]]


def test_alternatives_stand_beside_each_other_with_their_own_attention(dog):
    cards = dog.locator(".cap-others .cap-card")
    assert cards.count() == 2
    assert [cards.nth(place).locator(".cap-chip").count() for place in range(2)] == [8, 7]
    first, second = (cards.nth(place).bounding_box() for place in range(2))
    assert first["y"] == second["y"] and first["x"] < second["x"]
    sure = [cards.nth(place).locator(".cap-sure").inner_text() for place in range(2)]
    assert all("%" in line for line in sure) and sure[0] != sure[1]
    photo = ".cap-others .cap-card:nth-child(1) .cap-photo"
    before, others = seen(dog, photo), seen(dog)
    cards.first.locator(".cap-chip").first.click()
    dog.mouse.move(2, 2)
    assert np.abs(seen(dog, photo) - before).mean() > 5
    assert np.abs(seen(dog) - others).mean() < 1  # the large photo is another sentence's


def test_a_low_score_is_said_in_words(visit, tmp_path):
    Image.new("RGB", (300, 200), "white").save(tmp_path / "white.png")
    page = visit()
    ask(page, tmp_path / "white.png")
    line = page.locator(".cap-look .cap-sure").inner_text()
    assert line.startswith("Guessing") and "Dashed words are guesses" in line
    assert page.locator(".cap-look .cap-doubtful").count() > 5
    assert page.locator(CHIPS).count() == len(LONG.split())


def test_the_choices_are_followed(dog, served):
    dog.get_by_label("Start the sentence with …").fill("Here")
    dog.wait_for_function(f"document.querySelectorAll('{CHIPS}').length === {len(WORDS) + 1}")
    dog.get_by_label("Words to avoid").fill("green, the")
    dog.wait_for_function(f"document.querySelectorAll('{CHIPS}').length === {len(WORDS) - 1}")
    for label, value in (("Beam size", "6"), ("Temperature", "1"), ("Alternatives to show", "3")):
        dog.get_by_label(f"number input for {label}").fill(value)
    dog.get_by_label("Consensus").uncheck()
    dog.get_by_label("Seed").fill("3")
    dog.wait_for_function("document.querySelectorAll('.cap-others .cap-card').length === 3")
    dog.wait_for_function(f"document.querySelector('{CHIPS}:nth-child(2)').textContent === 'an'")
    used = served.fakes[0].batches[-1][1]
    assert (used.beam, used.temperature, used.seed, used.alternatives) == (6, 1.0, 3, 3)
    assert (used.prefix, used.avoid, used.consensus) == ("Here", ("green", "the"), False)


@pytest.mark.parametrize(("name", "text"), [("notes.txt", "text"), ("broken.jpg", "broken.jpg")])
def test_what_is_no_picture_is_said_in_words(visit, photos, name, text):
    page = visit()
    page.set_input_files(INPUT, photos / name)
    page.wait_for_selector("#captioner-one .cap-error")
    line = page.locator("#captioner-one .cap-status").inner_text()
    assert line.startswith(name) and text in line
    assert page.get_by_role("button", name="Choose a photo").is_visible()
    ask(page, photos / "dog.jpg")  # and the next photo works
    assert page.locator("#captioner-one .cap-status").inner_text() == ""


def test_a_file_too_large_is_not_even_sent(visit, tmp_path):
    (tmp_path / "huge.jpg").write_bytes(bytes(26 * 2**20))
    page = visit()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.set_input_files(INPUT, tmp_path / "huge.jpg")
    page.wait_for_selector("#captioner-one .cap-error")
    assert "larger than 25 MB" in page.locator("#captioner-one .cap-status").inner_text()
    assert not [url for url in sent if "upload" in url]


def test_a_picture_that_the_browser_cannot_show_comes_back_as_one_it_can(visit, photos):
    page = visit()
    ask(page, photos / "scan.tiff")
    assert page.evaluate("document.querySelector('.cap-look img').naturalWidth") == 400
    assert seen(page).std() > 10


def test_photos_are_dropped_pasted_and_tried(visit, photos):
    page = visit()
    page.locator(".cap-examples button").first.click()
    page.wait_for_selector(".cap-done")
    bytes_ = list((photos / "dog.jpg").read_bytes())
    give = """([bytes, kind]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], kind + '.jpg', {type: 'image/jpeg'}));
        const target = kind === 'drop' ? document.querySelector('.cap-one') : document.body;
        target.dispatchEvent(kind === 'drop'
          ? new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})
          : new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}));
    }"""
    for kind in ("drop", "paste"):
        old = page.get_attribute(".cap-look img", "src")
        page.evaluate(give, [bytes_, kind])
        page.wait_for_function(
            "old => document.querySelector('.cap-look img').src !== old", arg=old
        )
        page.wait_for_selector(".cap-done")
        assert page.evaluate("document.querySelector('.cap-look img').naturalWidth") == 640


def test_everything_can_be_taken_home(dog, photos):
    dog.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dog.get_by_role("button", name="Copy caption").click()
    dog.wait_for_function("document.querySelector('.cap-status').textContent === 'Copied.'")
    copied = dog.evaluate("navigator.clipboard.readText()")
    assert copied == SENTENCES[0].capitalize() + "."

    def saved(label):
        with dog.expect_download() as download:
            dog.get_by_role("button", name=label).click()
        return download.value.path().read_bytes()

    kept = json.loads(saved("Save attention (JSON)"))
    assert kept["photo"] == "dog.jpg" and kept["words"] == WORDS
    np.testing.assert_allclose(kept["attention"][2], blob(2, len(WORDS)), atol=1e-5)
    sheet = Image.open(io.BytesIO(saved("Save panels (PNG)")))
    assert sheet.format == "PNG" and sheet.width > 500
    walk = Image.open(io.BytesIO(saved("Save animation (WebP)")))
    assert walk.format == "WEBP" and walk.n_frames == len(WORDS) + 1


def test_on_a_phone(visit, photos):
    page = visit(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True,
        device_scale_factor=2,
    )  # fmt: skip
    ask(page, photos / "dog.jpg")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    photo = page.locator(".cap-look .cap-photo").bounding_box()
    assert photo["width"] > 340
    plain = seen(page)
    page.locator(CHIPS).nth(1).tap()
    tapped = seen(page)
    assert np.abs(tapped - plain).mean() > 5
    page.locator(CHIPS).nth(5).tap()
    assert np.abs(seen(page) - tapped).mean() > 5
    small = page.evaluate(
        "[...document.querySelectorAll('.cap-chip, .cap-button')].filter((e) => e.offsetHeight"
        " && e.offsetHeight < 32).map((e) => e.textContent)"
    )
    assert small == []  # a finger hits them all
    page.locator(".cap-look .cap-photo").tap(position={"x": 20, "y": 20})
    assert (
        page.evaluate(f"document.querySelector('{CHIPS}').style.getPropertyValue('--light')")
        > "0.9"
    )


def test_the_dark_theme_can_be_read(visit, photos):
    """Text against what lies behind it, by WCAG 2.1's contrast of at least 4.5 to 1."""
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        ask(page, photos / "dog.jpg")
        for selector in (".cap-header p", ".cap-sure", CHIPS, ".cap-strip span", ".cap-others h2"):
            ink, paper = page.evaluate(
                """(selector) => {
                let element = document.querySelector(selector);
                const ink = getComputedStyle(element).color;
                const clear = (colour) => /^rgba\\(.*, 0\\)$/.test(colour);
                while (element.parentElement && clear(getComputedStyle(element).backgroundColor))
                  element = element.parentElement;
                const paint = document.createElement('canvas').getContext('2d');
                return [ink, getComputedStyle(element).backgroundColor].map((colour) => {
                  paint.fillStyle = colour;
                  paint.fillRect(0, 0, 1, 1);
                  return [...paint.getImageData(0, 0, 1, 1).data.slice(0, 3)];
                }); }""",
                selector,
            )
            high, low = sorted((luminance(ink), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, selector, ink, paper)


def luminance(rgb):
    value = np.array(rgb) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_two_visitors_at_once(visit, photos):
    one, other = visit(), visit()
    one.set_input_files(INPUT, photos / "dog.jpg")
    other.set_input_files(INPUT, photos / "cat.png")
    for page in (one, other):
        page.wait_for_selector(".cap-done")
    assert one.evaluate("document.querySelector('.cap-look img').naturalWidth") == 640
    assert other.evaluate("document.querySelector('.cap-look img').naturalWidth") == 480
    one.locator(CHIPS).nth(2).click()
    assert other.locator(CHIPS + ".cap-on").count() == 0


def test_the_newest_photo_wins(visit, serve, photos):
    """A photo chosen while another is looked at: its caption is the one that stays."""
    turns = Semaphore(0)
    slow = serve(FakeCaptioner(turns=turns))
    page = visit(slow.url)
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_function("document.querySelector('.cap-status').textContent === 'Looking …'")
    page.set_input_files(INPUT, photos / "cat.png")
    page.wait_for_function("captioner.one.request()[0].orig_name === 'cat.png'")
    turns.release(9)
    page.wait_for_selector(".cap-done")
    assert len(slow.fakes[0].batches) == 2
    assert page.evaluate("document.querySelector('.cap-look img').naturalWidth") == 480
    assert page.locator(CHIPS).count() == len(WORDS)


def test_a_busy_page_says_so(visit, serve, photos):
    full = serve(FakeCaptioner(seconds=0.1), max_size=0)
    page = visit(full.url)
    page.set_input_files(INPUT, photos / "dog.jpg")
    page.wait_for_selector("#captioner-one .cap-error")
    assert "busy" in page.locator("#captioner-one .cap-status").inner_text()
