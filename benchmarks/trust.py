"""All the long trials, one after the other: `make trust`.

    python benchmarks/trust.py                 # an hour and more
    python benchmarks/trust.py --only alt      # those with this in their name

Each is a script of this folder with its own exit code. What is printed goes into runs/trust/ too, a
file for each. The exit code is 1 where one of them failed; what they found is in
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOGS = HERE.parent / "runs" / "trust"
TRIALS: tuple[tuple[str, ...], ...] = (
    ("alt_mutated_pages.py", "--pages", "2000"),
    ("alt_kills.py", "--kills", "50"),
    ("batch_broken.py",),
    ("batch_kills.py",),
    ("batch_format_kills.py",),
    ("batch_memory.py",),
    ("evaluate_kills.py", "--kills", "50"),
    ("model_kills.py", "--kills", "50"),
    ("repeated_training.py", "--steps", "50"),
    ("mutated_captions.py", "--files", "10000"),
    ("mutated_checkpoints.py",),
    (
        "load_page.py", "--hostile", "8", "--seconds", "1800", "--batch",
        "--plot", str(LOGS / "load.png"),
    ),
    ("pictures.py", "--mutated", "100000"),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", default="", help="the trials with this in their name")
    only = parser.parse_args().only
    LOGS.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, *arguments in TRIALS:
        if only not in name:
            continue
        started = time.monotonic()
        log = LOGS / f"{Path(name).stem}.txt"
        with open(log, "w") as file:
            command = [sys.executable, str(HERE / name), *arguments]
            code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
        failed += [name] if code else []
        outcome = f"failed ({code})" if code else "passed"
        print(f"{name}: {outcome} after {time.monotonic() - started:.0f} s; {log}", flush=True)
    print(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
