"""The first view on a phone, in both themes and in forced colours."""

import io

import numpy as np
import pytest
from browsing import CHIPS, ask, hold_timers, let_go, seen, until, visible
from fake_captioner import LONG
from PIL import Image


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_photo_sentence_and_copy_are_on_the_first_screen(visit, photos, width):
    page = visit(
        viewport={"width": width, "height": 844}, has_touch=True, is_mobile=True,
        device_scale_factor=2, reduced_motion="reduce",
    )  # fmt: skip
    assert visible(page, ".drop .big", "[data-choose=files]") == [False, True]  # no finger drops
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
    hold_timers(page)
    page.locator("#photo .look .photo").tap(position={"x": 20, "y": 20})
    light = f"document.querySelector('{CHIPS}').style.getPropertyValue('--light')"
    assert page.evaluate(light) > "0.9"
    let_go(page)
    until(page, f"{light} === '0'")  # a finger has no way to leave


def test_a_long_sentence_and_a_wide_photo_fit(visit, photos, tmp_path):
    Image.new("RGB", (300, 200), "white").save(tmp_path / "white.png")
    for width in (320, 1280):
        page = visit(viewport={"width": width, "height": 800}, reduced_motion="reduce")
        for photo in (tmp_path / "white.png", photos / "wide.png"):
            ask(page, photo, rest=False)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ask(page, tmp_path / "white.png", rest=False)
        assert page.locator(CHIPS).count() == len(LONG.split())


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
