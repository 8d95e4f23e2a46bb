"""Is the page accessible and quick to load? axe-core on every view, and Lighthouse.

    npm install --prefix tools axe-core@4 lighthouse@12
    python benchmarks/page_quality.py --tools tools --output docs/page_quality.md

Serves the page with fake models (`tests/page/serve.py`), opens it in Chromium and writes a table:
the findings of axe-core (WCAG 2.2 AA and its best practices) in every view, light, dark, on a phone
and in forced colours; Lighthouse's grades on a phone and on a desktop; the bytes of the first load.
Nothing asks another host. The exit code is 1 where axe-core found something or a grade is below 95.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from served_page import PHONE, ROOT, browser, chromium, served

EXAMPLE = ROOT / "captioner" / "page" / "examples" / "cat.webp"
SMALL = {**PHONE, "viewport": {"width": 320, "height": 700}}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": PHONE,
    "phone, dark": {**PHONE, "color_scheme": "dark"},
    "320 pixels": SMALL,
    "forced colours": {"forced_colors": "active"},
}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRADES = ("performance", "accessibility", "best-practices", "seo")
LEAST = 95


def photo(page: Page) -> None:
    page.set_input_files("#photo input[type=file]", EXAMPLE)
    page.wait_for_selector("#photo[data-state=done]")
    page.locator("#photo .word").nth(1).click()
    page.evaluate("document.querySelectorAll('#photo details').forEach((one) => one.open = true)")


def many(page: Page) -> None:
    page.get_by_role("tab", name="Many photos").click()
    files = [EXAMPLE, ROOT / "README.md"]
    page.set_input_files("#many input[type=file] >> nth=0", files)
    page.wait_for_selector("#many[data-state=done] .item.failed")


def compare(page: Page) -> None:
    page.get_by_role("tab", name="Compare").click()
    page.set_input_files("#compare input[type=file]", EXAMPLE)
    page.locator("#compare .card .word").first.wait_for()


def refused(page: Page) -> None:
    photo(page)
    page.get_by_label("Start with …").fill("zzz")
    page.wait_for_selector("#photo[data-state=refused]")


def several(page: Page) -> None:
    photo(page)
    page.get_by_label("Several that differ").check()
    page.locator("#photo .alternatives .card").first.wait_for()


VIEWS: dict[str, Callable[[Page], None]] = {
    "start": lambda page: None,
    "photo": photo,
    "photo, several sentences": several,
    "photo, refused": refused,
    "many, empty": lambda page: page.get_by_role("tab", name="Many photos").click(),
    "many": many,
    "compare, empty": lambda page: page.get_by_role("tab", name="Compare").click(),
    "compare": compare,
}


def findings(browser: Browser, url: str, axe: str) -> list[tuple[str, str, list[str]]]:
    """(view, look, what axe-core found there: rule and element)."""
    rows = []
    for look, settings in LOOKS.items():
        for view, reach in VIEWS.items():
            context = browser.new_context(reduced_motion="reduce", **settings)
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("html[data-ready]")
            reach(page)
            page.evaluate(axe + "; undefined")
            run = "(tags) => axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
            result = page.evaluate(run, TAGS)
            found = [
                f"{rule['id']}: {node['target'][0]}"
                for rule in result["violations"]
                for node in rule["nodes"]
            ]
            rows.append((view, look, found))
            context.close()
    return rows


def first_load(browser: Browser, url: str) -> tuple[int, int]:
    """(requests, bytes over the wire) of a first visit."""
    context = browser.new_context()
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    sizes: list[int] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    context.close()
    return len(sizes), round(sum(sizes))


def grades(url: str, tools: Path, preset: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [
            "node", str(tools / "node_modules/lighthouse/cli/index.js"), url, "--quiet",
            "--output=json", f"--output-path={report}", f"--only-categories={','.join(GRADES)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
        ]  # fmt: skip
        command += ["--preset=desktop"] if preset == "desktop" else []
        subprocess.run(command, check=True, env=os.environ | {"CHROME_PATH": chromium()})
        categories = json.loads(report.read_text())["categories"]
    return {name: round(100 * categories[name]["score"]) for name in GRADES}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tools", type=Path, required=True, help="where npm installed them")
    parser.add_argument("--output", type=Path, help="a Markdown file to write")
    parser.add_argument("--axe-only", action="store_true")
    given = parser.parse_args()
    axe = (given.tools / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
    with served("tests/page/serve.py", "2") as url:
        with browser() as opened:
            found = findings(opened, url, axe)
            requests, size = first_load(opened, url)
        presets = () if given.axe_only else ("phone", "desktop")
        graded = {preset: grades(url, given.tools, preset) for preset in presets}
    text = as_markdown(found, graded, requests, size)
    print(text)
    if given.output:
        given.output.write_text(text, encoding="utf-8")
    low = [grade for values in graded.values() for grade in values.values() if grade < LEAST]
    raise SystemExit(1 if low or any(items for *_, items in found) else 0)


def as_markdown(
    found: list[tuple[str, str, list[str]]],
    graded: dict[str, dict[str, int]],
    requests: int,
    size: int,
) -> str:
    lines = ["# How the page fares with axe-core and Lighthouse", ""]
    lines += ["Made by `benchmarks/page_quality.py`; the page has fake models behind it.", ""]
    lines += [f"A first visit takes {requests} requests and {size / 1000:.0f} kB.", ""]
    if graded:
        lines += [f"| Lighthouse | {' | '.join(GRADES)} |", "|---|" + "---:|" * len(GRADES)]
        for preset, values in graded.items():
            lines += [f"| {preset} | {' | '.join(str(values[name]) for name in GRADES)} |"]
        lines += [""]
    looks = list(LOOKS)
    lines += [f"| axe-core: findings | {' | '.join(looks)} |", "|---|" + "---:|" * len(looks)]
    for view in VIEWS:
        counts = {look: len(items) for name, look, items in found if name == view}
        lines += [f"| {view} | {' | '.join(str(counts[look]) for look in looks)} |"]
    lines += [""]
    for view, look, items in found:
        lines += [f"- {view}, {look}: {item}" for item in items]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
