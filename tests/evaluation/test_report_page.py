"""The HTML report in a real browser, with no network and nothing beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scored_sentences import CANDIDATES, REFERENCES

from captioner.errors import ImageError
from captioner.evaluation import Candidate, CaptionedPhoto, Context, Report, evaluate
from captioner.evaluation.java import Java
from captioner.evaluation.page_file import SHOWN, page

EVIL = "</script><img src=x onerror=\"document.title='hacked'\"> & <b>bold</b>"


@pytest.fixture(scope="module")
def evaluation(java: Java) -> Report:
    """72 photos: the test sentences six times over, each with a map per word."""
    photos, candidates, others = [], {}, {}
    for number in range(72):
        key = list(REFERENCES)[number % 12]
        source = "coco" if number % 3 else "flickr8k"
        texts = tuple(REFERENCES[key]) + ((EVIL,) if number == 0 else ())
        domain = {"domain": ("in", "near", "out")[number % 3]}
        photos.append(CaptionedPhoto(number, f"{number:03}.png", texts, source, fields=domain))
        words = tuple(CANDIDATES[key].lower().split()) + (("very",) * (number // 12))
        maps = np.zeros((len(words), 4, 4), np.float32)
        maps[np.arange(len(words)), 0, np.arange(len(words)) % 4] = 1
        certain = tuple(0.2 + 0.1 * (place % 8) for place in range(len(words)))
        score = float(np.exp(np.mean(np.log(certain))))
        candidates[number] = Candidate(
            " ".join(words), score, words, certain, maps, confidence=score, others=(EVIL, texts[0])
        )
        others[number] = Candidate("a man rides a wave")
    return evaluate(photos, candidates, Context(against=others, against_name=EVIL), java=java)


def picture(key: int | str) -> Image.Image | None:
    if key == 5:
        raise ImageError("005.png", "broken")
    return Image.new("RGB", (80, 40), (40, 80, 3 * int(key)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (make test)")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("needs a browser: install chromium, or name one in the variable CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def opened(browser: Any, evaluation: Report, tmp_path_factory: Any) -> Iterator[Any]:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(evaluation, "fake on test", picture), encoding="utf-8")
    wrong: list[str] = []
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.on("request", lambda asked: wrong.append(asked.url))
    tab.goto(f"file://{path}")
    yield tab
    assert [url for url in wrong if not url.startswith(("data:", f"file://{path}"))] == []


def ciders(tab: Any) -> list[float]:
    return [
        float(text.split()[1]) for text in tab.locator(".facts > :first-child").all_inner_texts()
    ]


def test_headline_and_tables(opened: Any, evaluation: Report) -> None:
    metrics = evaluation.figures["metrics"]
    shown = [float(text) for text in opened.locator(".score b").all_inner_texts()]
    assert shown == pytest.approx(list(metrics.values()), abs=6e-4)
    assert "SPICE left out" in opened.locator("#notes").inner_text()
    rows = opened.locator("#tables table").first.locator("tr").all_inner_texts()
    assert len(rows) == 1 + len(metrics)
    assert f"{metrics['METEOR']:.3f}" in next(row for row in rows if "METEOR" in row)
    bars = opened.locator("figure:has(figcaption:text-is('METEOR')) rect title").all_text_contents()
    assert sum(int(bar.split(": ")[1]) for bar in bars) == 72
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390


def test_groups_several_captions_and_confidence(opened: Any, evaluation: Report) -> None:
    heads = opened.locator("h2").all_inner_texts()
    assert {"By source", "By domain", "Several captions of a photo", "Further metrics"} <= {*heads}
    rows = opened.locator("h2:text-is('By domain') + .scroll tr").all_inner_texts()
    groups = evaluation.figures["by_group"]["domain"]
    assert [row.split()[0] for row in rows[1:]] == ["in", "near", "out"]
    assert f"{groups['near']['metrics']['CIDEr']:.3f}" in rows[2]
    plot = opened.locator("figure:has(figcaption:text-is('CIDEr by domain'))")
    assert plot.locator("circle").count() == 3
    curve = opened.locator(
        "figure:has(figcaption:text-is('Captions above the median, by confidence'))"
    )
    told = curve.locator("circle title").all_text_contents()
    assert sum(int(text.split()[0]) for text in told) == 72


def test_what_people_wrote_is_only_text(opened: Any) -> None:
    assert opened.title() == "Caption evaluation"
    assert opened.locator("h2", has_text="onerror").inner_text() == f"Against {EVIL}"
    opened.select_option("select[name=show]", "all")
    opened.fill("input[name=find]", "onerror")
    assert opened.locator("article li", has_text="onerror").inner_text() == EVIL
    opened.fill("input[name=find]", "")


def test_best_and_worst_have_pictures(opened: Any, evaluation: Report) -> None:
    opened.select_option("select[name=show]", "pictured")
    assert opened.locator("article").count() == 2 * SHOWN
    assert opened.locator("article img").count() == 2 * SHOWN - 1  # one of them is broken
    every = sorted(photo["metrics"]["CIDEr"] for photo in evaluation.figures["photos"])
    expected = [*every[:SHOWN], *every[-SHOWN:]]
    assert sorted(ciders(opened)) == pytest.approx(expected, abs=6e-4)
    opened.select_option("select[name=show]", "worst")
    assert sorted(ciders(opened)) == pytest.approx(every[:SHOWN], abs=6e-4)


def test_filter_and_sort(opened: Any) -> None:
    opened.select_option("select[name=show]", "all")
    assert opened.locator("#count").inner_text() == "60 of 72 photos"
    opened.click("#further")
    assert opened.locator("article").count() == 72 and not opened.locator("#further").is_visible()
    assert ciders(opened) == sorted(ciders(opened), reverse=True)
    opened.select_option("select[name=order]", "up")
    assert ciders(opened)[0] <= ciders(opened)[1] <= ciders(opened)[2]
    opened.select_option("select[name=source]", "flickr8k")
    assert opened.locator("#count").inner_text() == "24 of 24 photos"
    opened.select_option("select[name=source]", "")
    opened.fill("input[name=find]", "UMBRELLA")
    assert opened.locator("#count").inner_text() == "6 of 6 photos"
    opened.fill("input[name=find]", "007.png")
    assert opened.locator("article").count() == 1
    opened.fill("input[name=find]", "")
    opened.select_option("select[name=sort]", "words")
    lengths = [
        len(card.locator(".words button").all()) for card in opened.locator("article").all()[:4]
    ]
    assert lengths == sorted(lengths) and lengths[0] == 1


# Where a canvas is brightest, from 0 to 1 each way.
BRIGHTEST = """canvas => {
  const {width, height} = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  let most = 0, best = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    const light = pixels[i] + pixels[i + 1] + pixels[i + 2];
    if (light > most) { most = light; best = i / 4; }
  }
  return [(best % width) / width, Math.floor(best / width) / height];
}"""


def test_a_word_shows_where_it_looked(opened: Any) -> None:
    opened.select_option("select[name=show]", "pictured")
    card = opened.locator("article:has(img):has(.words button:nth-child(4))").first
    words, canvas = card.locator(".words button"), card.locator("canvas")
    assert not canvas.is_visible()
    for index in (0, 3):
        words.nth(index).click()
        assert canvas.is_visible()
        left, top = canvas.evaluate(BRIGHTEST)
        assert top < 0.25
        assert left == pytest.approx(0.125 if index == 0 else 0.875, abs=0.13)
    assert words.nth(0).get_attribute("aria-pressed") == "false"
    words.nth(3).click()
    assert not canvas.is_visible()


def test_a_page_without_pictures_or_maps(browser: Any, evaluation: Report, tmp_path: Path) -> None:
    """As from --results, with a single photo and an empty instances file."""
    plain = evaluate_one(evaluation)
    path = tmp_path / "plain.html"
    path.write_text(page(plain, "results.json on test"), encoding="utf-8")
    tab = browser.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.goto(f"file://{path}")
    assert tab.locator("article img").count() == 0
    assert tab.locator("article .caption").first.inner_text() != ""
    assert wrong == []
    tab.close()


def evaluate_one(evaluation: Report) -> Report:
    figures = dict(evaluation.figures)
    for name in ("against", "by_source", "calibration"):
        del figures[name]
    figures["photos"] = [
        {name: value for name, value in figures["photos"][0].items() if name not in ("score",)}
    ]
    del figures["photos"][0]["against"]
    figures["where_it_looked"] = {"photos": 0, "words": 0}
    return replace(evaluation, figures=figures, photos=evaluation.photos[:1])
