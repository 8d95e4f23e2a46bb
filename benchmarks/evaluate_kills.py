"""`captioner evaluate` killed at random moments: its files are the old ones or the new, never half.

    python benchmarks/evaluate_kills.py [--kills 50] [--seed 0]

Scores sentences of its own making. Half of the kills fall anywhere in a run, half into its last
tenth, when the files are written. At the end an undisturbed run gives the new files, and nothing
else lies in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THINGS = ("dog", "cat", "horse", "car", "boat", "train", "bird", "man", "woman", "child")
PLACES = ("street", "field", "beach", "room", "river", "park", "bridge", "garden", "hall", "pier")
FILES = ("report.json", "report.html", "results.json")
PHOTOS = 200


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, chance)
        start = time.perf_counter()
        run(folder, "old", 0).wait()
        seconds = time.perf_counter() - start
        old = contents(folder)
        run(folder, "new", 1).wait()
        new = contents(folder)
        assert all(old[file] != new[file] for file in FILES)
        torn, between = 0, 0
        for kill in range(given.kills):
            for file, content in old.items():
                (folder / file).write_bytes(content)
            process = run(folder, "new", 1)
            early = kill % 2 == 0
            time.sleep(seconds * (chance.random() if early else chance.uniform(0.9, 1.05)))
            process.kill()
            process.wait()
            states = [
                "old" if found == old[file] else "new" if found == new[file] else "torn"
                for file, found in contents(folder).items()
            ]
            torn += "torn" in states or len(states) < len(FILES)
            between += "new" in states and "old" in states
        run(folder, "new", 1).wait()
        assert contents(folder) == new
        left = sorted(path.name for path in folder.iterdir())
    print(
        f"{given.kills} kills: {torn} with a torn or missing file, {between} between two files; "
        f"left in the folder: {', '.join(left)}"
    )
    sys.exit(bool(torn))


def write_inputs(folder: Path, chance: random.Random) -> None:
    def sentence() -> str:
        things = f"a {chance.choice(THINGS)} and a {chance.choice(THINGS)}"
        return f"{things} in a {chance.choice(PLACES)}"

    references = {str(photo): [sentence() for _ in range(3)] for photo in range(PHOTOS)}
    (folder / "references.json").write_text(json.dumps(references))
    for name in ("old", "new"):
        captions = {photo: sentence() for photo in references}
        (folder / f"{name}.json").write_text(json.dumps(captions))


def run(folder: Path, results: str, seed: int) -> subprocess.Popen[bytes]:
    given = ["--annotations", "references.json", "--results", f"{results}.json", "--samples", "50"]
    written = ["--output", FILES[0], "--html", FILES[1], "--write-results", FILES[2], "--overwrite"]
    command = [sys.executable, "-m", "captioner", "evaluate", *given, *written]
    return subprocess.Popen(
        [*command, "--seed", str(seed)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {file: (folder / file).read_bytes() for file in FILES if (folder / file).exists()}


if __name__ == "__main__":
    main()
