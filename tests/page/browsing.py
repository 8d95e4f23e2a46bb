"""What tests of the page in a browser share."""

import io

import numpy as np
from fake_captioner import SENTENCES
from PIL import Image, ImageDraw

WORDS = SENTENCES[0].split()
INPUT = "#photo input[type=file]"
CHIPS = "#photo .saying .word"
SENTENCE = SENTENCES[0].capitalize() + "."


DONE = "#photo[data-state=done]"


def until(page, expression, arg=None):
    """Waits until the expression holds in the page. (Playwright's own waiting evaluates text
    inside the page, which the page forbids.)"""
    for _ in range(1200):
        if page.evaluate(expression, arg):
            return
        page.wait_for_timeout(50)
    said = page.evaluate("[...document.querySelectorAll('.status')].map((one) => one.textContent)")
    raise AssertionError(f"never: {expression}, {arg!r}; said {said}")


def hold_timers(page):
    """What the page is to do two seconds later and more waits until it is let go: a slow machine
    may look for it only afterwards."""
    page.evaluate(
        """() => {
        const [set, clear, held] = [setTimeout, clearTimeout, new Map()];
        window.setTimeout = (act, time, ...more) => {
          if (!(time >= 2000)) return set(act, time, ...more);
          const number = -1 - held.size;
          held.set(number, act);
          return number;
        };
        window.clearTimeout = (number) => held.has(number) ? held.set(number, () => {})
          : clear(number);
        window.letGo = () => held.forEach((act, number) => {
          held.set(number, () => {});
          act();
        }); }"""
    )


def let_go(page):
    page.evaluate("letGo()")


def ask(page, photo, rest=True):
    """Gives the page a photo and waits until its sentence is there, and at rest."""
    page.set_input_files(INPUT, photo)
    until(page, "name => document.querySelector('#photo').dataset.name === name", arg=photo.name)
    page.wait_for_selector(DONE)
    if rest:
        until(page, "document.querySelector('#photo .play').textContent.includes('Play')")
        page.locator(CHIPS).first.focus()
        page.keyboard.press("Escape")
        page.evaluate("document.activeElement.blur()")


def seen(page, selector="#photo .look .photo"):
    """What is on the screen there once nothing moves any more, as an array."""
    until(page, "!document.querySelector('.gliding')")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = page.locator(selector).first.screenshot()
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(float)


def visible(page, *selectors):
    return [page.locator(f"#photo {selector}").first.is_visible() for selector in selectors]


def status(page, view="photo"):
    return page.locator(f"#{view} .status").first.inner_text()


def give(page, paths, how="drop", target="body"):
    """Drops or pastes files on the page, as the browser would: [(name, bytes)]."""
    page.evaluate(
        """([files, how, target]) => {
        const data = new DataTransfer();
        for (const [name, bytes] of files)
          data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/jpeg'}));
        const about = {bubbles: true, cancelable: true};
        document.querySelector(target).dispatchEvent(how === 'drop'
          ? new DragEvent('drop', {dataTransfer: data, ...about})
          : new ClipboardEvent('paste', {clipboardData: data, ...about})); }""",
        [[(name, list(content)) for name, content in paths], how, target],
    )


def drawn(name: str, size: tuple[int, int]) -> Image.Image:
    photo = Image.new("RGB", size, (70, 130, 80))
    draw = ImageDraw.Draw(photo)
    width, height = size
    draw.ellipse((width / 4, height / 4, width * 0.6, height * 0.8), fill=(150, 90, 40))
    draw.text((10, 10), name, fill="white")
    return photo
