"""Damaged pages through what `captioner alt --write` does: it adds texts, and nothing else changes.

    python benchmarks/alt_mutated_pages.py                  # 2,000 pages
    python benchmarks/alt_mutated_pages.py --pages 100000

Prints how many pages were written, how many texts, and the slowest page in processor seconds. The
exit code is 1 where a byte of a page is lost or changed, or anything but a text is added.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.alt import mutated


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    failed, texts, slowest = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.new("RGB", (4, 3)).save(folder / "a.jpg")
        for number in range(wanted.pages):
            page = mutated.page(random.Random(wanted.seed + number))
            started = time.process_time()
            try:
                texts += mutated.check(folder, *page)
            except Exception as error:
                failed += 1
                print(f"page {wanted.seed + number}: {error!r}")
            slowest = max(slowest, time.process_time() - started)
    print(f"{wanted.pages} pages, {texts} texts, {failed} failed; slowest {slowest:.2f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
