"""The curves of training runs as a picture: python -m experiments.plot runs/x/log.csv

Needs matplotlib, which only development does.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from captioner.errors import CaptionerError
from captioner.files import whole_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What a stage is judged by while it learns, the first that its log has.
CURVES = {
    "nll": "nats a word",
    "reward": "CIDEr-D of samples",
    "attributes": "nats a photo",
    "loss": "loss",
}
SMOOTHED = 25  # steps that are averaged over


@dataclass
class Curve:
    """Values over steps."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, value: float) -> None:
        self.steps.append(step)
        self.values.append(value)

    def smoothed(self, width: int = SMOOTHED) -> list[float]:
        """Each value's mean with the up to `width` − 1 values before it."""
        sums = [0.0]
        for value in self.values:
            sums.append(sums[-1] + value)
        firsts = [max(0, i + 1 - width) for i in range(len(self.values))]
        return [(sums[i + 1] - sums[a]) / (i + 1 - a) for i, a in enumerate(firsts)]


@dataclass
class Run:
    """What a log.csv holds: `training` by column, `cider` by style, "" for their mean."""

    name: str
    training: dict[str, Curve]
    cider: dict[str, Curve]


def read_log(file: Path) -> Run:
    """Raises CaptionerError for a file that is missing, or no log of a training run."""
    run = Run(file.resolve().parent.name, {}, {})
    try:
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                _add(run, row)
    except OSError as error:
        raise CaptionerError(f"{file}: cannot be read ({error.strerror})") from None
    except (KeyError, ValueError, TypeError, AttributeError):
        raise CaptionerError(f"{file}: is no log.csv of a training run") from None
    if not run.training and not run.cider:
        raise CaptionerError(f"{file}: no step of the run is in it yet")
    return run


def _add(run: Run, row: dict[str, str]) -> None:
    step = int(row["step"])
    for column in CURVES:
        if row.get(column):
            run.training.setdefault(column, Curve()).add(step, float(row[column]))
    if row.get("cider"):
        run.cider.setdefault("", Curve()).add(step, float(row["cider"]))
        for style, value in json.loads(row["val"]).items():
            run.cider.setdefault(style, Curve()).add(step, float(value))


def draw(runs: Sequence[Run], file: Path) -> None:
    """Write a picture: how each run learnt, and its CIDEr on val. Raises CaptionerError."""
    need_matplotlib()
    from matplotlib.figure import Figure

    columns = [c for c in CURVES if any(_judged_by(run) == c for run in runs)]
    validated = any(run.cider for run in runs)
    panels = len(columns) + validated
    figure = Figure(figsize=(8, 2.8 * panels), dpi=110, layout="constrained")
    axes = figure.subplots(panels, sharex=True, squeeze=False)[:, 0]
    for axis, column in zip(axes, columns, strict=False):
        _draw_training(axis, [run for run in runs if _judged_by(run) == column], column)
    if validated:
        _draw_cider(axes[-1], [run for run in runs if run.cider])
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.legend(fontsize="small")
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("step")
    save_figure(figure, file)


def need_matplotlib() -> None:
    """Raise CaptionerError where there is nothing to draw with."""
    if find_spec("matplotlib") is None:
        raise CaptionerError("drawing needs matplotlib: pip install matplotlib")


def save_figure(figure: Figure, file: Path) -> None:
    """Write a figure in one step. Raises CaptionerError."""
    try:
        with whole_path(file) as draft:
            figure.savefig(draft, metadata={"Software": None} if file.suffix == ".png" else None)
    except ValueError as error:
        raise CaptionerError(f"{file}: cannot be written ({error})") from None


def _judged_by(run: Run) -> str | None:
    return next((column for column in CURVES if column in run.training), None)


def _draw_training(axis: Axes, runs: Sequence[Run], column: str) -> None:
    for number, run in enumerate(runs):
        curve = run.training[column]
        axis.plot(curve.steps, curve.values, color=f"C{number}", alpha=0.2, linewidth=0.8)
        axis.plot(curve.steps, curve.smoothed(), color=f"C{number}", label=run.name)
    axis.set_ylabel(CURVES[column])
    everything = sorted(value for run in runs for value in run.training[column].values)
    low, high = everything[0], everything[int(0.99 * (len(everything) - 1))]  # few outliers
    margin = 0.05 * (high - low) or 0.05
    axis.set_ylim(low - margin, high + margin)


def _draw_cider(axis: Axes, runs: Sequence[Run]) -> None:
    styles = sorted({style for run in runs for style in run.cider if style})
    looks = dict(zip(styles, ("--", ":", "-."), strict=False))
    for number, run in enumerate(runs):
        for style, curve in run.cider.items():
            label = f"{run.name}, {style or 'mean'}"
            look, width = (looks.get(style, "--"), 1.2) if style else ("-", 2.0)
            axis.plot(
                curve.steps, curve.values, look, marker=".", color=f"C{number}", linewidth=width,
                label=label,
            )  # fmt: skip
    axis.set_ylabel("CIDEr on val")


def plot(
    logs: Annotated[list[Path], typer.Argument(help="log.csv files, one a run.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The picture: .png, .svg or .pdf.")
    ] = Path("training.png"),
) -> None:
    """Draw the curves of training runs."""
    draw([read_log(log) for log in logs], output)
    typer.echo(f"{output}: {', '.join(map(str, logs))}")


if __name__ == "__main__":
    try:
        typer.run(plot)
    except CaptionerError as problem:
        sys.exit(f"plot: {problem}")
