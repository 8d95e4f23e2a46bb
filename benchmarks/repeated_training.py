"""The same recipe trained again, and by two processes: the same weights?

    python benchmarks/repeated_training.py [--steps 50]

A small model of coloured squares, its encoder too, one thread a process and no dropout (of which
each process draws its own): twice with one seed, once with another, and by two processes together
(torchrun, gloo). Prints how far weights are apart, as a share of what was learnt; the exit code is
1 where those of one seed differ at all, or those of two processes by more than 5 %.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from safetensors.torch import load_file
from torch import Tensor

from captioner.training.output import LAST
from tests.training.toy import Album

ROOT = Path(__file__).resolve().parents[1]
TOGETHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
Weights = dict[str, Tensor]


def trained(
    album: Album, output: Path, *launch: str, steps: int, seed: int, rate: float = 1e-3
) -> Weights:
    recipe = album.write(
        output, tune="top", text={"coco": album.text}, batch_sentences=7, batch_photos=8,
        attribute_weight=0.3, max_steps=steps, seed=seed,
        learning_rate=rate, encoder_learning_rate=rate / 10,
    )  # fmt: skip
    command = [sys.executable, *launch, "-m", "captioner", "train", "--no-graphs", "--config"]
    settings = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    told = subprocess.run([*command, recipe], env=settings, capture_output=True, text=True)
    if told.returncode:
        raise SystemExit(told.stderr)
    return load_file(output / LAST)


def apart(one: Weights, other: Weights, start: Weights) -> float:
    """The greatest difference of a tensor, as a share of what it learnt."""
    shares = [0.0]
    for name, weight in one.items():
        learnt = (weight.double() - start[name].double()).norm()
        if learnt > 1e-6:  # what nothing has changed has learnt nothing
            shares.append(float((other[name].double() - weight.double()).norm() / learnt))
        elif not weight.equal(other[name]):
            shares.append(1.0)
    return max(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=50)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        album = Album(room)
        start = trained(album, room / "start", steps=1, seed=1, rate=1e-12)
        one, again, other, two = (
            trained(album, room / str(i), *launch, steps=steps, seed=seed)
            for i, (launch, seed) in enumerate([((), 1), ((), 1), ((), 2), (TOGETHER, 1)])
        )
    same, seeded = (
        all(weight.equal(weights[name]) for name, weight in one.items())
        for weights in (again, other)
    )
    together = apart(one, two, start)
    print(f"{steps} steps, the same seed twice: {'every bit the same' if same else 'not the same'}")
    print(f"another seed: {'the same, so it has no say' if seeded else 'other weights'}")
    print(f"two processes against one: {100 * together:.2f} % of what was learnt apart")
    raise SystemExit(not same or seeded or together > 0.05)


if __name__ == "__main__":
    main()
