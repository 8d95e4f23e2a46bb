"""Files of captions broken at random, through every reader that `captioner evaluate` has.

    python benchmarks/mutated_captions.py [--files 10000] [--seed 0]

Each file is one of fourteen good ones (COCO, Karpathy, lists, dictionaries, JSON lines, tables,
token files, UTF-16, gzip, Parquet, instances) with bytes or values changed. A reader may give
captions, or raise CaptionerError in one line of at most 3,000 characters; anything else is printed,
and counts.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import io
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from captioner.datasets.captions import CaptionedPhoto, read_captioned, read_references
from captioner.errors import CaptionerError
from captioner.evaluation.human import read_ratings
from captioner.evaluation.instances import read_instances
from captioner.evaluation.results import match, read_results

PHOTOS = [CaptionedPhoto(n, f"{n}.jpg", (f"A dog number {n}.", "Dogs.")) for n in range(1, 6)]
TEXTS = [(photo.id, photo.file_name, text) for photo in PHOTOS for text in photo.captions]
ODD: list[Any] = [
    None, True, -1, 0.5, 10**30, 10**400, float("nan"), float("inf"), "", " ", "\ud800", "\0",
    [], {}, [[]], {"a": {}}, ["x", None], "9" * 5000, "x" * 20_000, "1e999", "000000000001",
    "a\u2028b", "../../x",
]  # fmt: skip
BYTES = [b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"{", b"]", b"\n", b"\r", b"\t", b",",
         b"|", b"\x85", b"[" * 3000, b"1" * 5000, "\u2028".encode(), b"\xed\xa0\x80"]  # fmt: skip


def good() -> dict[str, Any]:
    """The content of good files, by their names: what JSON holds, text, or bytes."""
    import pyarrow
    import pyarrow.parquet

    rows = [{"image_id": key, "caption": text} for key, _, text in TEXTS]
    images = [{"id": photo.id, "file_name": photo.file_name} for photo in PHOTOS]
    boxes = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}]
    table = "\n".join(
        ["image,caption,split", *(f'{name},"{text}",test' for _, name, text in TEXTS)]
    )
    parquet = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), parquet)
    return {
        "coco.json": {"images": images, "annotations": rows},
        "karpathy.json": {
            "images": [
                {"filename": p.file_name, "cocoid": p.id, "split": "test",
                 "sentences": [{"raw": text} for text in p.captions]} for p in PHOTOS
            ]
        },
        "instances.json": {
            "images": [{**one, "width": 10, "height": 10} for one in images],
            "categories": [{"id": 1, "name": "dog"}], "annotations": boxes,
        },
        "list.json": [{"image": p.file_name, "caption": list(p.captions)} for p in PHOTOS],
        "results.json": [{**row, "score": 0.5, "rating": 3} for row in rows[::2]],
        "dictionary.json": {str(p.id): list(p.captions) for p in PHOTOS},
        "lines.jsonl": "\n".join(map(json.dumps, rows)),
        "tokens.txt": "\n".join(f"{name}#0\t{text}" for _, name, text in TEXTS),
        "table.csv": table,
        "table.tsv": table.replace(",", "\t"),
        "bars.csv": table.replace(",", "|").replace('"', ""),
        "wide.csv": table.encode("utf-16"),
        "packed.jsonl.gz": gzip.compress("\n".join(map(json.dumps, rows)).encode()),
        "rows.parquet": parquet.getvalue(),
    }  # fmt: skip


def broken(content: Any, chance: random.Random) -> bytes:
    """The content with some of its values or bytes changed."""
    if isinstance(content, dict | list) and chance.random() < 0.6:
        content = copy.deepcopy(content)
        for _ in range(chance.randint(1, 3)):
            spoil(content, chance)
        return json.dumps(content).encode()
    if isinstance(content, dict | list):
        content = json.dumps(content)
    data = bytearray(content.encode() if isinstance(content, str) else content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        end = min(len(data), place + chance.choice((1, 1, 8, 200)))
        kind = chance.randrange(4)
        if kind == 0:
            data[place:end] = b""
        elif kind == 1:
            data[place:place] = chance.choice(BYTES)
        elif kind == 2:
            data[place:end] = bytes(chance.randrange(256) for _ in range(end - place))
        else:
            data[place:place] = data[place:end] * chance.randint(1, 5)
    return bytes(data)


def spoil(content: Any, chance: random.Random) -> None:
    """Change one value somewhere in it."""
    while content:
        key = chance.choice(list(content) if isinstance(content, dict) else range(len(content)))
        if isinstance(content[key], dict | list) and content[key] and chance.random() < 0.8:
            content = content[key]
            continue
        if isinstance(content, dict) and chance.random() < 0.3:
            content[chance.choice(("id", "image", "caption", "x", ""))] = content.pop(key)
        else:
            content[key] = copy.deepcopy(chance.choice(ODD))
        return


READERS: dict[str, Callable[[Path], Any]] = {
    "references": lambda path: read_references(path, tell=lambda note: None),
    "captions": read_captioned,
    "results": lambda path: match(PHOTOS, read_results(path, True), path.name, allow_missing=True),
    "ratings": lambda path: read_ratings(path, PHOTOS, allow_missing=True),
    "instances": read_instances,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    files, told, slowest = good(), Counter[str](), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.files):
            name = chance.choice(list(files))
            path = Path(folder, name)
            path.write_bytes(broken(files[name], chance))
            for reader, read in READERS.items():
                start = time.perf_counter()
                told[outcome(read, path, f"{number} {name} {reader}")] += 1
                slowest = max(slowest, time.perf_counter() - start)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(told.items()))
    print(f"{given.files} files: {counts}; the slowest reading took {slowest:.2f} s")
    sys.exit(bool(told["wrong"]))


def outcome(read: Callable[[Path], Any], path: Path, what: str) -> str:
    try:
        read(path)
    except CaptionerError as error:
        if len(str(error)) <= 3000 and "\n" not in str(error):
            return "refused"
        print(f"{what}: {str(error)[:2000]!r}")
        return "wrong"
    except Exception as error:
        print(f"{what}: {error!r}"[:500])
        return "wrong"
    return "read"


if __name__ == "__main__":
    main()
