"""Checkpoints with bytes changed: every one loads, or is refused in one sentence.

    python benchmarks/mutated_checkpoints.py --count 10000

Changes one to eight bytes of the header (or, one time in four, of the weights) of the built-in
model, or cuts the file off, and reads it as the graph engines do and, with --torch, as PyTorch
does. Prints how many were read and how many refused; anything else ends it with a traceback.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from captioner import CaptionerError
from captioner.assets import EMBEDDED
from captioner.notes import read_notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--model", type=Path, default=EMBEDDED)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    readers = [read_notes]
    if given.torch:
        from captioner import checkpoint

        readers.append(checkpoint.load)
    dice = random.Random(given.seed)
    whole = given.model.read_bytes()
    header = 8 + int.from_bytes(whole[:8], "little")
    found: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mutated.safetensors")
        for _ in range(given.count):
            changed = bytearray(whole)
            reach = header if dice.random() < 0.75 else len(whole)
            for _ in range(dice.randint(1, 8)):
                changed[dice.randrange(reach)] = dice.randrange(256)
            if dice.random() < 0.05:
                del changed[dice.randrange(len(changed)) :]
            file.write_bytes(changed)
            for read in readers:
                start = time.perf_counter()
                try:
                    read(file)
                    found["read"] += 1
                except CaptionerError as error:
                    assert "\n" not in str(error), error
                    found["refused"] += 1
                slowest = max(slowest, time.perf_counter() - start)
    print(f"{given.count} files: {dict(found)}, the slowest took {slowest:.2f} s")


if __name__ == "__main__":
    main()
