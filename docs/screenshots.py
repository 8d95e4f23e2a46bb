"""Takes the pictures of the page that the documentation shows: `python docs/screenshots.py`.

Starts `app.py`, opens it in Chromium and writes `docs/page*.webp`. Other models than those that
come along: `--model FILE`, several times. The photos are those that gradio brings along.
"""

from __future__ import annotations

import argparse
import io
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

from gradio.media import get_image
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from captioner.checkpoint import FAMILY

DOCS = Path(__file__).resolve().parent
PHOTOS = [get_image(f"{name}.jpg") for name in ("tower", "lion", "cheetah1", "cheetah")]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1240, "height": 1000}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
GLIDE = 900  # milliseconds until everything has come to rest


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
    page = browser.new_context(**settings).new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    page.wait_for_function("window.captioner?.one")
    return page


def take(page: Page, name: str, height: int | None = None) -> None:
    """The whole page, or its upper `height` pixels, as `docs/NAME.webp`."""
    page.wait_for_timeout(GLIDE)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    scale = page.evaluate("devicePixelRatio")
    bottom = min(picture.height, int(scale * height)) if height else picture.height
    picture.crop((0, 0, picture.width, bottom)).save(DOCS / f"{name}.webp", quality=88, method=6)
    print(f"docs/{name}.webp")


def one_photo(page: Page, photo: str, word: int) -> None:
    page.set_input_files("#captioner-one input[type=file]", photo)
    page.wait_for_selector(".cap-done")
    page.locator(".cap-look .cap-chip").nth(word).click()
    page.mouse.move(2, 2)


def many_photos(page: Page, folder: Path) -> None:
    (folder / "notes.jpg").write_text("A note that is no picture.\n", encoding="utf-8")
    page.get_by_role("tab", name="Many photos").click()
    page.wait_for_function("captioner.many")
    files = [*PHOTOS, str(folder / "notes.jpg")]
    page.set_input_files("#many-files input[type=file]", files)
    page.locator("#many-files .file-preview").wait_for()
    page.click("#many-start")
    page.locator(".cap-album article").nth(len(files) - 1).wait_for()
    page.wait_for_function("document.querySelector('.cap-progress').hidden")


def compare(page: Page, photo: str, models: int) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("captioner.compare")
    page.set_input_files("#captioner-compare input[type=file]", photo)
    page.locator("#captioner-compare .cap-card").nth(models - 1).locator(
        ".cap-chip"
    ).first.wait_for()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", action="append", default=[], metavar="FILE")
    parser.add_argument("--word", type=int, default=1, help="the word whose attention is shown")
    given = parser.parse_args()
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
            one_photo(page, PHOTOS[0], given.word)
            take(page, f"page{ending}")
            page = opened(browser, url, color_scheme=scheme, **PHONE)
            one_photo(page, PHOTOS[0], given.word)
            take(page, f"page-phone{ending}", PHONE["viewport"]["height"] + 400)
        page = opened(browser, url, **DESKTOP)
        take(page, "page-start", 640)
        many_photos(page, Path(folder))
        take(page, "page-many")
        models = len(given.model) or 1 + len(FAMILY)
        if models > 1:
            page = opened(browser, url, **DESKTOP)
            compare(page, PHOTOS[0], models)
            take(page, "page-compare")
        browser.close()


if __name__ == "__main__":
    main()
