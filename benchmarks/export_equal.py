"""Whether an exported captioner writes what PyTorch writes, and how fast both are.

    python benchmarks/export_equal.py EXPORT --annotations captions_test.json --images photos/

Both compute in fp32 here: the captioner's encoder is taken back from bf16 (--bf16: it stays as it
runs on this processor). Captions, the words' probabilities and attention are compared for greedy
search, three beams and the default search (--only: one of them); the seconds a photo are for
batches of --batch-size. With --results pytorch.json and exported.json of the last search are
written there, for `captioner evaluate --results … --against …`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from captioner import Caption, Captioner, Options, checkpoint, load
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


def write_results(captions: list[Caption], entries: list[dict[str, Any]], file: Path) -> None:
    pairs = zip(entries, captions, strict=True)
    rows = [{"image_id": entry["id"], "caption": one.text} for entry, one in pairs]
    file.write_text(json.dumps(rows))


def furthest(ours: Caption, theirs: Caption) -> tuple[float, float]:
    """The greatest difference of a word's probability and of the attention."""
    return (
        float(np.abs(np.subtract(ours.probabilities, theirs.probabilities)).max(initial=0)),
        float(np.abs(ours.attention - theirs.attention).max(initial=0)),
    )


def report(
    search: str, photos: list[Path], pairs: list[tuple[Caption, Caption]], slow: float, quick: float
) -> None:
    """Print a line for all `pairs` of captions, exported and PyTorch's, and those that differ."""
    same = [(a, b) for a, b in pairs if a.text == b.text and a.words == b.words]
    off = [(0.0, 0.0), *(furthest(a, b) for a, b in same)]
    probability, attention = map(max, zip(*off, strict=True))
    print(
        f"{search}: {len(same)} of {len(pairs)} captions equal, probabilities within"
        f" {probability:.1e}, attention within {attention:.1e};"
        f" seconds a photo: PyTorch {slow / len(pairs):.4f},"
        f" exported {quick / len(pairs):.4f}, ratio {slow / quick:.2f}",
        flush=True,
    )
    for photo, (a, b) in zip(photos, pairs, strict=True):
        if a.text != b.text:
            print(f"  {photo.name}: {a.text} ({a.log_probability:.6f})")
            print(f"  PyTorch: {b.text} ({b.log_probability:.6f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("export", type=Path)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--sources", default="coco,flickr30k")
    parser.add_argument("--model", type=Path, default=checkpoint.EMBEDDED)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--only", choices=SEARCHES)
    parser.add_argument("--results", type=Path)
    given = parser.parse_args()
    entries = json.loads(given.annotations.read_text())["images"]
    entries = [entry for entry in entries if entry["source"] in given.sources.split(",")]
    photos = [given.images / entry["file_name"] for entry in entries]
    torch_captioner = load(given.model) if given.bf16 else in_fp32(given.model)
    exported = runtime.load(given.export)
    print(f"{len(photos)} photos ({given.sources}), batches of {given.batch_size}")
    for name, options in SEARCHES.items():
        if given.only not in (None, name):
            continue
        theirs, slow = timed(torch_captioner.caption_many, photos, given.batch_size, options)
        ours, quick = timed(exported.caption_many, photos, given.batch_size, options)
        report(name, photos, list(zip(ours, theirs, strict=True)), slow, quick)
        if given.results:
            given.results.mkdir(parents=True, exist_ok=True)
            write_results(theirs, entries, given.results / "pytorch.json")
            write_results(ours, entries, given.results / "exported.json")


if __name__ == "__main__":
    main()
