"""Opens crafted and mutated pictures, and tells what they took: memory, time, words on stderr.

    python benchmarks/pictures.py --mutated 100000

Each picture is opened as for a caption, and every other one in full, in a process that another
watches: a picture that ends its process is named, and the next go on without it. Memory is told on
Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

SIDE = 288
LIMITS = {"seconds": 2.0, "megabytes": 300.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mutated", type=int, default=10_000, help="how many mutated pictures")
    parser.add_argument("--begin", type=int, default=0, help="the number of the first of them")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.begin, args.mutated)
        return
    failures = [*watched("crafted", 0, 0), *watched("mutated", args.begin, args.mutated)]
    for failure in failures:
        print(f"  {failure}")
    sys.exit(bool(failures))


def watched(kind: str, begin: int, count: int) -> list[str]:
    """Run a worker to the end, begun again behind each picture that ends it. What went wrong."""
    failures, outcomes, most = [], Counter[str](), Counter[str]()
    following, started = begin, time.monotonic()
    while True:
        ask = [
            "--worker",
            kind,
            "--begin",
            str(following),
            "--mutated",
            str(begin + count - following),
        ]
        command = [sys.executable, __file__, *ask]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout
            name = "its start"
            for line in worker.stdout:
                told = json.loads(line)
                if "begins" in told:
                    name, following = told["begins"], told["number"] + 1
                    continue
                outcomes[told["outcome"]] += 1
                for what, limit in LIMITS.items():
                    most[what] = max(most[what], told[what])
                    if told[what] > limit:
                        failures.append(f"{name}: {told[what]:.1f} {what}")
                if told["outcome"] not in ("picture", "ImageError"):
                    failures.append(f"{name}: {told['outcome']}")
                if told["said"]:
                    failures.append(f"{name}: said {told['said']!r}")
        if not worker.returncode:
            break
        failures.append(f"{name}: ended its process ({worker.returncode})")
    taken = time.monotonic() - started
    print(
        f"{kind}: opened {sum(outcomes.values()):,} times in {taken / 60:.1f} minutes,"
        f" {dict(outcomes)}; at most {most['seconds']:.2f} s and {most['megabytes']:.0f} MB each;"
        f" {len(failures)} failures",
        flush=True,
    )
    return failures


def work(kind: str, begin: int, count: int) -> None:
    from captioner.errors import ImageError
    from captioner.images import open_image

    with tempfile.TemporaryFile() as words:
        os.dup2(words.fileno(), 2)
        for number, name, data in pictures(kind, begin, count):
            print(json.dumps({"begins": name, "number": number}), flush=True)
            for target in (SIDE, None) if kind == "crafted" or number % 2 else (SIDE,):
                before, started, said = reset_peak(), time.process_time(), words.tell()
                try:
                    open_image(data, target=target)
                    outcome = "picture"
                except ImageError:
                    outcome = "ImageError"
                except Exception as error:
                    outcome = repr(error)[:200]
                seconds, most = time.process_time() - started, (peak() - before) / 1e6
                words.seek(0, os.SEEK_END)
                text = os.pread(words.fileno(), 200, said).decode(errors="replace")
                told = {"outcome": outcome, "seconds": seconds, "megabytes": most, "said": text}
                print(json.dumps(told), flush=True)


def pictures(kind: str, begin: int, count: int) -> Iterator[tuple[int, str, bytes]]:
    if kind == "crafted":
        from tests.images.crafted import crafted

        for number, (name, make) in enumerate(crafted()):
            if number >= begin:
                yield number, name, make()
        return
    from tests.images.mutated import mutated

    for number in range(begin, begin + count):
        yield number, f"mutated {number}", mutated(number)


def reset_peak() -> int:
    """Forget the most memory that was held so far; what is held now, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return 0
    return _status("VmRSS")


def peak() -> int:
    return _status("VmHWM")


def _status(field: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
