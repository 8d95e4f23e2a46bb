"""How quick the captioner is, beside its own parts and beside its peers, in one run.

    python benchmarks/speed.py --peers peers/bin/python --output speed.json
    python benchmarks/speed_plots.py speed.json speed.png

Makes its own photos, 640×480 JPEG files. Photos a second of every engine by beams, batch size and
image size; the whole against decode + resize + encoder; a warm photo; the command from its start to
the first caption, with its memory; a batched search against photos one by one. --peers is a Python
with what requirements-peers.txt lists (see peers.py). --quick takes a tenth of the photos. Run it
where nothing else runs: what counts are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from made_photos import make_photos

import captioner
from captioner import Captioner, Options
from captioner.rules import search_options
from captioner.search import beam_search

ENGINES = ("openvino", "onnxruntime", "torch")
BEAM_3 = Options(beam=3, consensus=False)
SEARCHES = {"beam 3": BEAM_3, "default": Options()}
SIZES = ((320, 240), (640, 480), (1280, 960), (2560, 1920))
Row = dict[str, Any]


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def photos_a_second(model: Captioner, paths: list[Path], size: int, options: Options) -> float:
    list(model.caption_many(paths[:size], batch_size=size, options=options))
    spent = seconds(lambda: list(model.caption_many(paths, batch_size=size, options=options)))
    return len(paths) / spent


def throughput(models: dict[str, Captioner], paths: list[Path]) -> Iterator[Row]:
    for name, model in models.items():
        for search, options in SEARCHES.items():
            for size in (1, 4, 16, 64) if search == "beam 3" else (16,):
                speed = photos_a_second(model, paths, size, options)
                yield {"engine": name, "search": search, "batch": size, "photos/s": speed}


def by_beam(model: Captioner, paths: list[Path]) -> Iterator[Row]:
    for beam in (1, 2, 3, 5, 10, 20):
        yield {"beam": beam, "photos/s": photos_a_second(model, paths, 16, Options(beam=beam))}


def by_image_size(model: Captioner, folder: Path, count: int) -> Iterator[Row]:
    for width, height in SIZES:
        paths = make_photos(folder / str(width), count, (width, height))
        speed = photos_a_second(model, paths, 16, BEAM_3)
        yield {"width": width, "height": height, "photos/s": speed}


def by_number(model: Captioner, paths: list[Path]) -> Iterator[Row]:
    for count in (16, 64, 256, 1024):
        many = [paths[i % len(paths)] for i in range(count)]
        spent = seconds(lambda many=many: list(model.caption_many(many, options=BEAM_3)))
        yield {"photos": count, "seconds": spent}


def parts(model: Captioner, paths: list[Path], size: int = 16) -> Row:
    """The whole against the plain loop of its first half on the same engine."""

    def half() -> None:
        for first in range(0, len(paths), size):
            squares = [model._square(path) for path in paths[first : first + size]]
            model.engine.start(np.stack(squares))

    half()
    times: dict[str, list[float]] = {"decode + resize + encoder": [], "whole": []}
    for _ in range(3):
        times["decode + resize + encoder"].append(seconds(half))
        whole = seconds(lambda: list(model.caption_many(paths, options=BEAM_3)))
        times["whole"].append(whole)
    row: Row = {name: len(paths) / statistics.median(each) for name, each in times.items()}
    return row | {
        "ratio": statistics.median(times["whole"]) / statistics.median(times[next(iter(times))])
    }


def one_warm_photo(model: Captioner, path: Path) -> Row:
    model.caption(path)
    spent = [seconds(lambda: model.caption(path)) for _ in range(40)]
    return {"median ms": 1000 * statistics.median(spent), "slowest ms": 1000 * max(spent)}


def searched_together(model: Captioner, paths: list[Path]) -> Row:
    """The search of 64 photos at once and of one at a time, the encoder's time apart: the beams
    alone, and with all that makes captions of what they found."""
    squares = np.stack([model._square(path) for path in paths[:64]])
    search = search_options(BEAM_3, model.vocabulary, model.engine.notes.worn)
    found: Row = {}
    for pictures, name, times in ((squares[:1], "alone", 20), (squares, "together", 5)):
        started = model.engine.start(pictures)
        style = model.vocabulary.start(model.styles[0])
        first = model.engine.ids([style] * len(pictures))
        calls: dict[str, Callable[[], object]] = {
            "beams": partial(beam_search, model.engine.step, started.state, first, search),
            "captions": partial(model._write, pictures, started, BEAM_3, search),
        }
        for what, call in calls.items():
            call()
            spent = statistics.median(seconds(call) for _ in range(times)) / len(pictures)
            found[f"{what} {name}, ms"] = 1000 * spent
    ratios = {w: found[f"{w} alone, ms"] / found[f"{w} together, ms"] for w in calls}
    return found | {f"{what}: ratio": ratio for what, ratio in ratios.items()}


MEASURED = """
import resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
spent = time.perf_counter() - start
print(code, spent, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def command(*arguments: str) -> Row:
    """The command in a process of its own: seconds of the clock, and the memory it held at most.

    A small process starts it: one that is large would count as the command's own memory.
    """
    times, memory = [], 0
    for _ in range(5):
        whole = [sys.executable, "-m", "captioner", *arguments]
        told = subprocess.check_output([sys.executable, "-c", MEASURED, *whole], text=True)
        code, spent, held = told.split()
        if int(code):
            raise SystemExit(f"captioner {' '.join(arguments)} failed")
        times.append(float(spent))
        memory = max(memory, int(held))
    return {"seconds": statistics.median(times), "MB": memory / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="a Python that has what requirements-peers.txt lists")
    parser.add_argument("--photos", type=int, default=320)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("speed.json"))
    given = parser.parse_args()
    count = given.photos // 10 if given.quick else given.photos
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make_photos(folder / "photos", count)
        found = measure(folder, paths, given.peers)
    given.output.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{given.output}: written")


def measure(folder: Path, paths: list[Path], peers: str | None) -> Row:
    found: Row = {"cores": os.cpu_count()}

    def note(name: str, value: Any) -> None:
        found[name] = value
        print(f"{name}: {json.dumps(value)}", flush=True)

    if peers:
        few = list(map(str, paths[:32]))
        script = Path(__file__).with_name("peers.py")
        told = subprocess.run([peers, script, *few], capture_output=True, text=True, check=True)
        note("peers", json.loads(told.stdout.splitlines()[-1]))
    models = {name: captioner.load(engine=name) for name in ENGINES}
    quickest = models[ENGINES[0]]
    note("precision", {name: model.engine.precision for name, model in models.items()})
    note("throughput", list(throughput(models, paths)))
    note("parts", {name: parts(model, paths) for name, model in models.items()})
    note("one warm photo", one_warm_photo(quickest, paths[0]))
    note("searched together", searched_together(quickest, paths))
    note("by beam", list(by_beam(quickest, paths)))
    note("by image size", list(by_image_size(quickest, folder, max(16, len(paths) // 4))))
    note("by number", list(by_number(quickest, paths)))
    note("command", command("caption", str(paths[0])))
    note("help", command("--help"))
    if peers:
        note("against peers", against(found))
    return found


def against(found: Row) -> Row:
    """How many times as many photos a second as each peer at its best."""
    best: dict[str, float] = {}
    for row in found["throughput"]:
        best[row["search"]] = max(best.get(row["search"], 0), row["photos/s"])
    return {
        search: {name: speed / max(by.values()) for name, by in found["peers"].items()}
        for search, speed in best.items()
    }


if __name__ == "__main__":
    main()
