"""Pictures of what `speed.py` measured: python benchmarks/speed_plots.py speed.json speed.png"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

SPEED = "photos/s"


def by_batch(axis: Axes, found: dict[str, Any]) -> None:
    for engine in dict.fromkeys(row["engine"] for row in found["throughput"]):
        rows = [r for r in found["throughput"] if r["engine"] == engine and r["search"] == "beam 3"]
        label = f"{engine}, {found['precision'][engine]}"
        axis.plot([r["batch"] for r in rows], [r[SPEED] for r in rows], "o-", label=label)
    for name, speeds in found.get("peers", {}).items():
        axis.plot([int(size) for size in speeds], list(speeds.values()), "s--", label=name)
    axis.set(xscale="log", yscale="log", xlabel="photos in a batch", ylabel=SPEED, title="Engines")
    axis.legend(fontsize=7)


def line(axis: Axes, rows: list[dict[str, Any]], x: str, y: str, title: str) -> None:
    axis.plot([row[x] for row in rows], [row[y] for row in rows], "o-")
    axis.set(xlabel=x, ylabel=y, title=title, ylim=(0, None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measured", type=Path)
    parser.add_argument("picture", type=Path)
    given = parser.parse_args()
    found = json.loads(given.measured.read_text())
    figure, axes = pyplot.subplots(2, 2, figsize=(10, 7), constrained_layout=True)
    by_batch(axes[0, 0], found)
    line(axes[0, 1], found["by beam"], "beam", SPEED, "Beams, with consensus")
    line(axes[1, 0], found["by image size"], "width", SPEED, "Width of the photos, pixels")
    line(axes[1, 1], found["by number"], "photos", "seconds", "Number of photos")
    figure.savefig(given.picture, dpi=120)


if __name__ == "__main__":
    main()
