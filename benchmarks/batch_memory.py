"""Does memory stay flat? The peak of a run over few photos, and of one over many.

    python benchmarks/batch_memory.py                         # 2,000 and 50,000 photos
    python benchmarks/batch_memory.py --sizes 200 2000 --photo-size 64 64

Each run is the command in a process of its own, over hard links to a hundred photos. Prints the
largest resident memory of each; the exit code is 1 where that of the last is more than 10 % above
that of the first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from made_photos import linked_photos, make_photos


def peak(command: list[str]) -> tuple[float, float]:
    """The largest resident memory of a process, in MiB, and the seconds that it took."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the command failed: {os.waitstatus_to_exitcode(status)}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return usage.ru_maxrss / unit, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 50_000])
    parser.add_argument("--photo-size", type=int, nargs=2, default=(640, 480))
    parser.add_argument("--format", default="jsonl")
    parser.add_argument("more", nargs="*", help="further options of the command, after --")
    arguments = parser.parse_args()
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        originals = make_photos(Path(name, "originals"), 100, tuple(arguments.photo_size))
        for size in arguments.sizes:
            folder = Path(name, str(size))
            linked_photos(folder, size, originals)
            command = [sys.executable, "-m", "captioner", "caption", str(folder)]
            command += ["--format", arguments.format, "-o", str(Path(name, f"{size}.rows"))]
            memory, seconds = peak([*command, *arguments.more])
            peaks.append(memory)
            print(f"{size:8,} photos: peak {memory:8.1f} MiB, {seconds:8.1f} s", flush=True)
    growth = peaks[-1] / peaks[0]
    print(f"the last beside the first: {growth:.3f} ×")
    sys.exit(growth > 1.1)


if __name__ == "__main__":
    main()
