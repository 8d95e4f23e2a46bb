"""Takes the pictures of the page that the documentation shows: `python docs/screenshots.py`.

Starts `app.py`, opens it in Chromium and writes `docs/page*.webp` and the strip of the README,
`docs/story.webp`. Other models than those that come along: `--model FILE`, several times. The
photos are the page's own examples; `--photo` and `--word` say which one, and what is shown of it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).resolve().parent
EXAMPLES = DOCS.parent / "captioner" / "page" / "examples"
PHOTOS = [EXAMPLES / one["file"] for one in json.loads((EXAMPLES / "examples.json").read_text())]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1240, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
REST = 600  # milliseconds until everything has come to rest
STRIP = (390, 640)  # of the strip's panels, pixels of the page
PANEL = 330  # their width in the picture


@contextmanager
def served(models: list[str]) -> Iterator[str]:
    """`app.py` with these models, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = os.environ | {"GRADIO_SERVER_PORT": str(port)}
    command = [sys.executable, "app.py", *(part for model in models for part in ("--model", model))]
    process = subprocess.Popen(command, cwd=DOCS.parent, env=settings)
    url = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(url, timeout=60).close()
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        process.terminate()
        process.wait()


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
    chosen = page.locator("#photo .saying .word").nth(word)
    if chosen.get_attribute("aria-pressed") != "true":
        chosen.click()


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
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise SystemExit("No browser found: install chromium.")
    with (
        tempfile.TemporaryDirectory() as folder,
        served(given.model) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for scheme, ending in (("light", ""), ("dark", "-dark")):
            page = opened(browser, url, color_scheme=scheme, **DESKTOP)
            one_photo(page, photo, given.word)
            keep(seen(page), f"page{ending}")
            page = opened(browser, url, color_scheme=scheme, **PHONE)
            one_photo(page, photo, given.word)
            keep(seen(page, PHONE["viewport"]["height"]), f"page-phone{ending}")
        page = opened(browser, url, **DESKTOP)
        keep(seen(page, 640), "page-start")
        many_photos(page, Path(folder))
        keep(seen(page, DESKTOP["viewport"]["height"]), "page-many")
        if len(given.model) != 1:
            page = opened(browser, url, **DESKTOP)
            compare(page, photo)
            keep(seen(page), "page-compare")
        keep(story(browser, url, photo, given.word, Path(folder)), "story")
        browser.close()


if __name__ == "__main__":
    main()
