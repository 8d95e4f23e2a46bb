"""`captioner alt --write` killed at random moments: the next run makes of it what it should be.

    python benchmarks/alt_kills.py                     # 50 kills
    python benchmarks/alt_kills.py --kills 5 --pages 20

Half of the pages have a second name (a hard link) and are written in their place. After each kill
every page with one name must be as it was or as it will be; one with two may be half written. Then
the run is done again to its end, and must give what an undisturbed one gives. No model: what is
tried is the writing. The exit code is 1 where one of these fails.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

WRITING = """
import sys
from captioner.alt.documents import documents
from captioner.alt.findings import findings
print("ready", flush=True)
for page in documents([sys.argv[1]]):
    page.write({each.gap: "A dog runs over a meadow." for each in findings([page])})
"""


def make(site: Path, pages: int) -> None:
    """A site of pages of some hundred kilobytes with twenty pictures each."""
    (site / "pages").mkdir(parents=True)
    (site / "other").mkdir()
    Image.new("RGB", (40, 30)).save(site / "pages" / "a.jpg")
    for number in range(pages):
        page = site / "pages" / f"{number:03}.html"
        words = f"<p>page {number} " + "word " * 2000 + "</p>\n<img src=a.jpg>\n"
        page.write_text("<!doctype html>\n" + words * 20)
        if number % 2:
            os.link(page, site / "other" / page.name)


def contents(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in site.glob("*/*.html")}


def started(site: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITING, str(site / "pages")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    chance, torn, half, between = random.Random(wanted.seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        site = Path(name, "site")
        make(site, wanted.pages)
        old = contents(site)
        begun = time.monotonic()
        started(site).wait()
        seconds, new = time.monotonic() - begun, contents(site)
        for _ in range(wanted.kills):
            shutil.rmtree(site)
            make(site, wanted.pages)
            process = started(site)
            time.sleep(chance.uniform(0, seconds))
            process.kill()
            process.wait()
            there = contents(site)
            neither = [page for page in old if there[page] not in (old[page], new[page])]
            torn += sum((site / page).stat().st_nlink == 1 for page in neither)
            half += any((site / page).stat().st_nlink > 1 for page in neither)
            between += there not in (old, new)
            started(site).wait()
            left = [path.name for path in site.rglob(".*")]
            if contents(site) != new or left:
                print(f"the run after a kill left something else, or {left}")
                torn += 1
    print(f"{wanted.kills} kills, {between} of them amid the pages, {half} in one with two names;")
    print(f"{torn} pages lost or torn after the next run")
    return 1 if torn else 0


if __name__ == "__main__":
    sys.exit(main())
