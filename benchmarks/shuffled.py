"""The captions of a report given to the wrong photos: a system that every metric must punish.

python -m captioner evaluate --annotations A.json --images DIR --output report.json
python benchmarks/shuffled.py report.json shuffled.json
python -m captioner evaluate --annotations A.json --results shuffled.json --against report.json
"""

import json
import random
import sys
from pathlib import Path


def main() -> None:
    """Shuffle the captions, always alike, and write them in COCO results format."""
    report, results = map(Path, sys.argv[1:])
    entries = json.loads(report.read_text(encoding="utf-8"))["captions"]
    captions = [entry["caption"] for entry in entries]
    random.Random(0).shuffle(captions)
    shuffled = [
        {**entry, "caption": caption} for entry, caption in zip(entries, captions, strict=True)
    ]
    results.write_text(json.dumps(shuffled, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
