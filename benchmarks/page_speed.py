"""How long a visitor waits: from a dropped photo to its sentence, and through a thousand photos.

    python benchmarks/page_speed.py FOLDER

Opens the page in Chromium, drops photos of the folder one after the other, and tells the median
time until the sentence stands there: with the model that comes along, and with one that answers at
once, which is the page's own time. Then gives up to 1,000 of them to *Many photos* together, and
tells how long that takes, how long the page was deaf at most, and how long sorting takes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from playwright.sync_api import Browser, Page
from served_page import browser, served

KINDS = {".jpg", ".jpeg", ".png", ".webp", ".heic"}
DROP = """async ([bytes, name]) => {
  const data = new DataTransfer(), view = document.getElementById("photo");
  data.items.add(new File([new Uint8Array(bytes)], name));
  const began = performance.now();
  document.body.dispatchEvent(
    new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
  await new Promise((there) => new MutationObserver((_, watch) => {
    if (view.dataset.state !== "done" || view.dataset.name !== name) return;
    watch.disconnect();
    there();
  }).observe(view, {attributes: true}));
  return performance.now() - began; }"""
WATCH = """() => { window.deaf = [0];
  new PerformanceObserver((seen) => seen.getEntries().forEach((one) => deaf.push(one.duration)))
    .observe({entryTypes: ["longtask"]}); }"""
CHANGE = """async ([name, value]) => {
  const field = document.querySelector(`#many [name=${name}]`), began = performance.now();
  field.value = value;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  return performance.now() - began; }"""


def opened(chrome: Browser, url: str) -> Page:
    page = chrome.new_context(reduced_motion="reduce").new_page()
    page.set_default_timeout(900_000)
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    return page


def drops(chrome: Browser, url: str, photos: list[Path], rounds: int = 3) -> list[float]:
    """Milliseconds from each drop to its sentence; the first of all warms up."""
    page = opened(chrome, url)
    times = [
        page.evaluate(DROP, [list(photo.read_bytes()), f"{turn}-{photo.name}"])
        for turn in range(rounds)
        for photo in photos
    ]
    return times[1:]


def many(chrome: Browser, url: str, photos: list[Path]) -> str:
    page = opened(chrome, url)
    page.get_by_role("tab", name="Many photos").click()
    page.evaluate(WATCH)
    began = time.perf_counter()
    page.set_input_files("#many input[type=file] >> nth=0", photos)
    page.wait_for_selector("#many[data-state=done]")
    took, deaf = time.perf_counter() - began, page.evaluate("Math.max(...deaf)")
    changes = (("order", "doubt"), ("shown", "doubtful"), ("shown", "all"), ("find", "dog"))
    slowest = max(page.evaluate(CHANGE, list(change)) for change in changes)
    return (
        f"{len(photos):,} photos: {took:.1f} s; deaf for {deaf:.0f} ms at most; "
        f"sorted or filtered within {slowest:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path, help="photos of one's own, or of COCO")
    folder = parser.parse_args().folder
    photos = sorted(path for path in folder.iterdir() if path.suffix.lower() in KINDS)[:1000]
    for what, command in (("the page alone", "tests/page/serve.py"), ("with the model", "app.py")):
        with served(command) as url, browser() as chrome:
            times = drops(chrome, url, photos[:8])
            print(f"{what}: drop to sentence {statistics.median(times):.0f} ms (median)")
            print(f"{what}: {many(chrome, url, photos)}")


if __name__ == "__main__":
    main()
