"""Whether an exported captioner writes what PyTorch writes, and how fast both are.

    python benchmarks/export_equal.py EXPORT --annotations captions_test.json --images photos/

Both compute in fp32 here: the captioner's encoder is taken back from bf16. Captions, the words'
probabilities and attention are compared for greedy search, three beams and the default search;
the seconds a photo are for batches of --batch-size.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from captioner import Caption, Captioner, Options, checkpoint
from captioner.export import runtime

SEARCHES = {
    "greedy": Options(beam=1),
    "beam 3": Options(beam=3, consensus=False),
    "default": Options(),
}


def in_fp32(file: Path) -> Captioner:
    """The captioner in a checkpoint, its encoder in fp32 on every processor."""
    captioner = Captioner(checkpoint.load(file))
    captioner.model.float().load_state_dict(checkpoint.load(file).state_dict())
    return captioner


def timed(write: Callable[..., Iterator[Any]], *given: Any) -> tuple[list[Caption], float]:
    began = time.perf_counter()
    return list(write(*given)), time.perf_counter() - began


def furthest(ours: Caption, theirs: Caption) -> tuple[float, float]:
    """The greatest difference of a word's probability and of the attention."""
    return (
        float(np.abs(np.subtract(ours.probabilities, theirs.probabilities)).max(initial=0)),
        float(np.abs(ours.attention - theirs.attention).max(initial=0)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sources", default="coco,flickr30k")
    parser.add_argument("--model", type=Path, default=checkpoint.EMBEDDED)
    parser.add_argument("--batch-size", type=int, default=16)
    given = parser.parse_args()
    entries = json.loads(given.annotations.read_text())["images"]
    wanted = given.sources.split(",")
    photos = [given.images / e["file_name"] for e in entries if e["source"] in wanted]
    torch_captioner, exported = in_fp32(given.model), runtime.load(given.export)
    print(f"{len(photos)} photos ({given.sources}), batches of {given.batch_size}")
    for name, options in SEARCHES.items():
        theirs, slow = timed(torch_captioner.caption_many, photos, given.batch_size, options)
        ours, quick = timed(exported.caption_many, photos, given.batch_size, options)
        pairs = list(zip(ours, theirs, strict=True))
        same = [(a, b) for a, b in pairs if a.text == b.text and a.words == b.words]
        off = [furthest(a, b) for a, b in same]
        print(
            f"{name}: {len(same)} of {len(pairs)} captions equal, probabilities within"
            f" {max(o[0] for o in off):.1e}, attention within {max(o[1] for o in off):.1e};"
            f" seconds a photo: PyTorch {slow / len(photos):.4f},"
            f" exported {quick / len(photos):.4f}, ratio {slow / quick:.2f}",
            flush=True,
        )
        for photo, (a, b) in zip(photos, pairs, strict=True):
            if a.text != b.text:
                print(f"  {photo.name}: {a.text} ({a.log_probability:.6f})")
                print(f"  PyTorch: {b.text} ({b.log_probability:.6f})")


if __name__ == "__main__":
    main()
