"""The whole batch run beside JPEG decode + resize + the bare encoder, on the same files.

    python benchmarks/batch_speed.py                      # 512 photos, 640×480, beam 3
    python benchmarks/batch_speed.py --source DIR         # cut out of your own photos

Takes turns, `--rounds` of them, and prints the medians. "Decode + resize + encoder" is the plain
loop: a batch is decoded and resized as the captioner does it, then encoded by its encoder. "Whole
run" is the batch command from files to a file of JSON lines, the model being loaded; the last line
is the command in a process of its own, start and loading included. The seconds that pass mean
something on an idle machine only; those of the processors add up what all threads worked.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from made_photos import make_photos

import captioner
from captioner import Captioner, Options
from captioner.batch.job import Job, run


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass during the call, and seconds of the processors, its processes' included."""
    start, worked = time.perf_counter(), sum(os.times()[:4])
    call()
    return time.perf_counter() - start, sum(os.times()[:4]) - worked


def decode_and_encode(model: Captioner, paths: list[Path], batch_size: int, encode: bool) -> None:
    for start in range(0, len(paths), batch_size):
        squares = [model._square(path) for path in paths[start : start + batch_size]]
        if encode:
            model.engine.start(np.stack(squares))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=512)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--beam", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    model = captioner.load(arguments.model)
    size, count = arguments.batch_size, arguments.photos
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name, "photos"), Path(name, "rows.jsonl")
        paths = make_photos(folder, count, source=arguments.source)
        job = Job(
            inputs=(str(folder),),
            load=lambda: model,
            model=model.name,
            options=replace(Options(), beam=arguments.beam),
            batch_size=size,
            format="jsonl",
            output=output,
            overwrite=True,
        )
        command = [sys.executable, "-m", "captioner", "caption", folder, "--format", "jsonl"]
        command += ["--beam", str(arguments.beam), "--batch-size", str(size)]
        command += ["-o", output, "--overwrite"]
        command += ["--model", arguments.model] if arguments.model else []
        ways: dict[str, Callable[[], object]] = {
            "decode + resize": lambda: decode_and_encode(model, paths, size, encode=False),
            "decode + resize + encoder": lambda: decode_and_encode(model, paths, size, encode=True),
            "whole run, files to captions": lambda: run(job),
            "the command, with start and loading": lambda: subprocess.run(command, check=True),
        }
        decode_and_encode(model, paths[: 2 * size], size, encode=True)  # warm up
        measured: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(arguments.rounds):
            for way, call in ways.items():
                measured[way].append(timed(call))
    medians = {
        way: [statistics.median(column) for column in zip(*rounds, strict=True)]
        for way, rounds in measured.items()
    }
    bare = medians["decode + resize + encoder"]
    print(f"\n{count} photos 640×480, beam {arguments.beam}, batches of {size}, ", end="")
    print(f"{arguments.threads} threads, medians of {arguments.rounds}")
    print(f"{'':<36} {'passed':>9} {'':>18} {'':>8} {'worked':>9}")
    for way, (passed, worked) in medians.items():
        print(
            f"{way:<36} {passed:7.2f} s {count / passed:9.1f} photos/s {passed / bare[0]:6.2f} ×"
            f" {worked:7.2f} s {worked / bare[1]:6.2f} ×"
        )


if __name__ == "__main__":
    main()
