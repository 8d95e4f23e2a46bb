"""Runs in every format, killed again and again: old or new, never half, the same at the end?

    python benchmarks/batch_format_kills.py                    # fifty kills in each format
    python benchmarks/batch_format_kills.py --kills 5 --formats embed

The command is killed (SIGKILL) at random moments of its work and resumed; after each kill all that
lies there must be as it was before the run or as a run leaves it that nobody disturbs, and at the
end it is the latter throughout. The captioner is the tests', which needs no model: what is tried is
the writing.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioner.batch.formats import FORMATS
from captioner.batch.places import KINDS
from tests.batch import process

PHOTOS = 300
SECONDS = 0.002  # that a photo takes
APPEND = "sidecar --append"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--formats", nargs="*", default=[*FORMATS, "coco", *KINDS, APPEND])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    failed = 0
    for format in asked.formats:
        with tempfile.TemporaryDirectory() as name:
            problem, amid = _trial(Path(name), format, asked.kills, random.Random(asked.seed))
        failed += bool(problem)
        print(
            f"{format}: {asked.kills} kills, {amid} of them amid the photos;"
            f" {problem or 'never half, the same at the end'}",
            flush=True,
        )
    return 1 if failed else 0


def _trial(room: Path, format: str, kills: int, dice: random.Random) -> tuple[str, int]:
    """What went wrong, "" for nothing; and how many kills came before a run was through."""
    first, whole, pieces = (room / name for name in ("first", "whole", "pieces"))
    _make_photos(first, with_texts=format == APPEND)
    arguments = ["caption", "photos", "--format", *format.split(), "--batch-size", 8]
    beside = format.split()[0] in KINDS
    arguments += [] if beside else ["-o", "rows"]
    for folder in (whole, pieces):
        shutil.copytree(first, folder)
    process.run(arguments, whole)
    before, after = _contents(first), _contents(whole)
    amid = 0
    for _ in range(kills):
        before_it = _journal(pieces)
        run = process.start([*arguments, "--resume"], pieces, seconds=SECONDS)
        while run.is_alive() and _journal(pieces) <= before_it:
            time.sleep(0.002)
        time.sleep(dice.uniform(0, PHOTOS * SECONDS / 8))
        run.kill()
        run.join()
        amid += run.exitcode != 0
        for path, content in _contents(pieces).items():
            if content not in (before.get(path), after.get(path)):
                return f"{path} is neither old nor new", amid
        if run.exitcode == 0:  # through before it was killed: once more from the start
            shutil.rmtree(pieces)
            shutil.copytree(first, pieces)
    process.run([*arguments, "--resume"], pieces)
    return ("" if _contents(pieces) == after else "not the same at the end"), amid


def _make_photos(folder: Path, with_texts: bool) -> None:
    (folder / "photos").mkdir(parents=True)
    noise = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = noise.integers(0, 255, (8 + number % 7, 9, 3), np.uint8)
        ending = ("jpg", "png", "webp", "tif")[number % 4]
        Image.fromarray(pixels).save(folder / "photos" / f"{number:04}.{ending}")
        if with_texts:
            (folder / "photos" / f"{number:04}.txt").write_text("sks woman\n")


def _journal(folder: Path) -> int:
    """How long the run's journal is: it grows as photos are done."""
    return sum(path.stat().st_size for path in folder.glob("*.progress"))


def _contents(folder: Path) -> dict[str, bytes]:
    """What a user finds there: no journals, no drafts, nothing hidden, no messages."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.endswith((".progress", ".partial"))
        and path.name != "said.txt"
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


if __name__ == "__main__":
    sys.exit(main())
