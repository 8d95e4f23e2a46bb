"""What METEOR costs in a training loop: validations with a Java each, and with one that stays.

    python benchmarks/warm_scorer.py captions_val.json --photos 300 --rounds 100

Every round scores other captions of the same photos: one of each photo's own references, taken out
of the references, in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from captioner.datasets.captions import read_references
from captioner.evaluation.scorers import Scorer, score

COLD = 5  # rounds that start a Java of their own: enough for a mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=100)
    given = parser.parse_args()
    photos = [photo for photo in read_references(given.annotations) if len(photo.captions) > 2]
    photos = photos[: given.photos]
    references = {photo.id: photo.captions[1:] for photo in photos}
    written = [
        {
            photo.id: photos[(place + turn) % len(photos)].captions[0]
            for place, photo in enumerate(photos)
        }
        for turn in range(given.rounds)
    ]
    cold = timed(lambda: [score(references, captions) for captions in written[:COLD]]) / COLD
    start = time.perf_counter()
    with Scorer() as scorer:
        first = timed(lambda: scorer.score(references, written[0]))
        rest = timed(lambda: [scorer.score(references, captions) for captions in written[1:]])
    whole = time.perf_counter() - start
    print(f"{len(photos)} photos, {given.rounds} validations")
    print(f"a Java for each: {cold:.2f} s a validation, {cold * given.rounds:.0f} s for all")
    print(
        f"one Scorer: {first:.2f} s the first, {rest / max(1, given.rounds - 1):.3f} s each later, "
        f"{whole:.1f} s for all"
    )


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
