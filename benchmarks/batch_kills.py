"""A run that is killed again and again beside one that is not: the same file, line for line?

    python benchmarks/batch_kills.py                          # 2,000 photos, ten kills
    python benchmarks/batch_kills.py --photos 200 --kills 2 --format csv

The command runs with the model itself. It is killed (SIGKILL) at random moments once it has gone on
from where it was, and resumed; at the end it is let through.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_photos import linked_photos, make_photos


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--format", default="jsonl")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("more", nargs="*", help="further options of the command, after --")
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder, whole, pieces = (Path(name, part) for part in ("photos", "whole", "pieces"))
        linked_photos(folder, arguments.photos, make_photos(Path(name, "originals"), 100))
        command = [sys.executable, "-m", "captioner", "caption", str(folder)]
        command += ["--format", arguments.format, *arguments.more, "--resume", "-o"]
        start = time.perf_counter()
        subprocess.run([*command, str(whole)], check=True)
        seconds = time.perf_counter() - start
        journal = Path(name, "pieces.progress")
        for kill in range(arguments.kills):
            before = journal.stat().st_size if journal.exists() else 0
            process = subprocess.Popen([*command, str(pieces)])
            while not journal.exists() or journal.stat().st_size <= before:
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.9 * seconds / arguments.kills))
            if process.poll() is not None:
                sys.exit("the run was through before it was killed: take more photos")
            process.kill()
            process.wait()
            done = journal.stat().st_size
            print(
                f"kill {kill + 1}: the journal went from {before:,} to {done:,} bytes", flush=True
            )
        subprocess.run([*command, str(pieces)], check=True)
        same = whole.read_bytes() == pieces.read_bytes()
        lines = len(whole.read_bytes().splitlines())
    print(f"{lines:,} lines, {'the same' if same else 'NOT THE SAME'}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
