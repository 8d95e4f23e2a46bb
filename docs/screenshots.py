"""Takes the pictures of the page that the documentation shows: `python docs/screenshots.py`.

Starts `app.py`, opens it in Chromium and writes `docs/page*.webp` and the strip of the README,
`docs/story.webp`. Other models than those that come along: `--model FILE`, several times. The
photos are the page's own examples; `--photo` and `--word` say which one, and what is shown of it.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "benchmarks"))
from served_page import PHONE, browser, served  # noqa: E402

EXAMPLES = DOCS.parent / "captioner" / "page" / "examples"
PHOTOS = [EXAMPLES / one["file"] for one in json.loads((EXAMPLES / "examples.json").read_text())]
DESKTOP: dict[str, Any] = {"viewport": {"width": 1240, "height": 900}}
REST = 600  # milliseconds until everything has come to rest
STRIP = (390, 640)  # of the strip's panels, pixels of the page
PANEL = 330  # their width in the picture


def opened(browser: Browser, url: str, **settings: Any) -> Page:
    page = browser.new_context(reduced_motion="reduce", **settings).new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    return page


def seen(page: Page, height: int | None = None) -> Image.Image:
    """The whole page, or its upper `height` pixels."""
    page.mouse.move(2, 2)
    page.wait_for_timeout(REST)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    scale = page.evaluate("devicePixelRatio")
    bottom = min(picture.height, int(scale * height)) if height else picture.height
    return picture.crop((0, 0, picture.width, bottom))


def keep(picture: Image.Image, name: str) -> None:
    picture.save(DOCS / f"{name}.webp", quality=85, method=6)
    print(f"docs/{name}.webp")


def one_photo(page: Page, photo: Path, word: int) -> None:
    page.set_input_files("#photo input[type=file]", photo)
    page.wait_for_selector("#photo[data-state=done]")
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelector('#photo .hint').hidden = true")
    page.locator("#photo .saying .word").nth(word).click()


def many_photos(page: Page, folder: Path) -> None:
    (folder / "notes.jpg").write_text("A note that is no picture.\n", encoding="utf-8")
    page.get_by_role("tab", name="Many photos").click()
    files = [*PHOTOS, folder / "notes.jpg"]
    page.set_input_files("#many input[type=file] >> nth=0", files)
    page.wait_for_selector("#many[data-state=done]")


def compare(page: Page, photo: Path) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.set_input_files("#compare input[type=file]", photo)
    page.wait_for_selector("#compare[data-state=done] .card .word")


def story(browser: Browser, url: str, photo: Path, word: int, folder: Path) -> Image.Image:
    """Five panels: the page, a photo's sentence, another word, what might stand there, many."""
    page = opened(browser, url, **PHONE)
    panels = [seen(page, STRIP[1])]
    one_photo(page, photo, word)
    page.evaluate("document.querySelector('#photo .rewrite').hidden = true")
    panels.append(seen(page, STRIP[1]))
    page.locator("#photo .saying .word").last.click()
    page.evaluate("document.querySelector('#photo .rewrite').hidden = true")
    panels.append(seen(page, STRIP[1]))
    page.locator("#photo .saying .word").nth(word).click()
    panels.append(seen(page, STRIP[1]))
    page = opened(browser, url, **PHONE)
    many_photos(page, folder)
    panels.append(seen(page, STRIP[1]))
    height = round(PANEL * STRIP[1] / STRIP[0])
    strip = Image.new("RGB", (len(panels) * (PANEL + 12) - 12, height), "#d5cec6")
    for place, panel in enumerate(panels):
        small = panel.resize((PANEL, round(PANEL * panel.height / panel.width)))
        strip.paste(small, (place * (PANEL + 12), 0))
    return strip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", action="append", default=[], metavar="FILE")
    parser.add_argument("--photo", type=int, default=0, help="which of the examples, from 0")
    parser.add_argument("--word", type=int, default=1, help="the word whose attention is shown")
    given = parser.parse_args()
    photo = PHOTOS[given.photo]
    models = [part for model in given.model for part in ("--model", model)]
    with (
        tempfile.TemporaryDirectory() as folder,
        served("app.py", *models) as url,
        browser() as chrome,
    ):
        for scheme, ending in (("light", ""), ("dark", "-dark")):
            page = opened(chrome, url, color_scheme=scheme, **DESKTOP)
            one_photo(page, photo, given.word)
            keep(seen(page), f"page{ending}")
            page = opened(chrome, url, color_scheme=scheme, **PHONE)
            one_photo(page, photo, given.word)
            keep(seen(page, PHONE["viewport"]["height"]), f"page-phone{ending}")
        page = opened(chrome, url, **DESKTOP)
        keep(seen(page, 640), "page-start")
        many_photos(page, Path(folder))
        keep(seen(page), "page-many")
        if len(given.model) != 1:
            page = opened(chrome, url, **DESKTOP)
            compare(page, photo)
            keep(seen(page), "page-compare")
        keep(story(chrome, url, photo, given.word, Path(folder)), "story")


if __name__ == "__main__":
    main()
