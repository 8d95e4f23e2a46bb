"""Whether every engine writes what PyTorch writes, and how fast each is.

    python benchmarks/engines_equal.py --annotations captions_test.json --images photos/

All compute in fp32 unless --dtype bfloat16 is given; the reference is PyTorch in fp32. Captions,
the words' probabilities and attention are compared for greedy search, three beams and the default
search (--only: one of them). With --results each engine's captions of the last search are written
there, for `captioner evaluate --results … --against …`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from captioner import Caption, Options, load

SEARCHES = {
    "greedy": Options(beam=1),
    "beam 3": Options(beam=3, consensus=False),
    "default": Options(),
}
ENGINES = ("onnxruntime", "openvino", "torch")


def write_results(captions: list[Caption], entries: list[dict[str, Any]], file: Path) -> None:
    pairs = zip(entries, captions, strict=True)
    rows = [{"image_id": entry["id"], "caption": one.text} for entry, one in pairs]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows))


def report(name: str, ours: list[Caption], theirs: list[Caption], photos: list[Path]) -> None:
    """Print how many captions are the same, how far apart those are, and which differ."""
    pairs = list(zip(ours, theirs, strict=True))
    same = [(a, b) for a, b in pairs if a.text == b.text]
    off = [np.abs(np.subtract(a.probabilities, b.probabilities)).max(initial=0) for a, b in same]
    looked = [np.abs(a.attention - b.attention).max(initial=0) for a, b in same]
    print(
        f"  {name}: {len(same)} of {len(pairs)} captions equal, probabilities within"
        f" {max(off, default=0):.1e}, attention within {max(looked, default=0):.1e}"
    )
    for photo, (a, b) in zip(photos, pairs, strict=True):
        if a.text != b.text:
            print(f"    {photo.name}: {a.text} ({a.log_probability:.6f})")
            print(f"    PyTorch: {b.text} ({b.log_probability:.6f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sources", default="coco,flickr30k")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--only", choices=SEARCHES)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    entries = json.loads(given.annotations.read_text())["images"]
    entries = [entry for entry in entries if entry["source"] in given.sources.split(",")]
    photos = [given.images / entry["file_name"] for entry in entries]
    reference = load(given.model, engine="torch", dtype="float32")
    print(f"{len(photos)} photos ({given.sources}), batches of {given.batch_size}, {given.dtype}")
    for search, options in SEARCHES.items():
        if given.only not in (None, search):
            continue
        print(search)
        theirs = list(reference.caption_many(photos, options=options))
        for name in given.engines.split(","):
            if name == "onnxruntime" and given.dtype != "float32":
                continue
            captioner = load(given.model, engine=name, dtype=given.dtype)
            began = time.perf_counter()
            many = captioner.caption_many(photos, batch_size=given.batch_size, options=options)
            ours = list(many)
            print(f"  {name}: {len(photos) / (time.perf_counter() - began):.1f} photos/s")
            report(name, ours, theirs, photos)
            if given.results:
                write_results(ours, entries, given.results / f"{name}-{given.dtype}.json")


if __name__ == "__main__":
    main()
