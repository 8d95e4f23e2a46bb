"""The family of decoders as a picture: CIDEr against parameters and length, and how they learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from captioner.evaluation.bootstrap import interval, sampled_means
from experiments.plot import Curve, need_matplotlib, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 4
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VariantResult:
    """What a variant came to on the N validation photos, each in its own style."""

    name: str
    parameters: int  # the encoder's apart
    bytes: int  # of its checkpoint
    seconds: float  # of training
    captions: list[str]
    cider: Array  # (N,)
    nll: Curve


def draw_family(results: Sequence[VariantResult], lengths: Array, file: Path) -> None:
    """Write the picture; lengths (N) are the mean words of each photo's human captions."""
    need_matplotlib()
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 10), dpi=110, layout="constrained")
    by_size, by_length, learning = figure.subplots(3, height_ratios=(1.1, 1, 1))
    palette = colormaps["tab20" if len(results) > 10 else "tab10"]
    for axis in (by_size, by_length, learning):
        axis.set_prop_cycle(color=[palette(i) for i in range(palette.N)])
    _against_parameters(by_size, results)
    _against_length(by_length, results, lengths)
    for one in results:
        learning.plot(one.nll.steps, one.nll.smoothed(), label=one.name)
    learning.set(xlabel="step", ylabel="nats a word, training")
    learning.set_ylim(top=float(np.quantile([v for one in results for v in one.nll.values], 0.95)))
    for axis in (by_size, by_length, learning):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *by_size.get_legend_handles_labels(), loc="outside upper center", fontsize="small", ncols=4
    )
    save_figure(figure, file)


def _against_parameters(axis: Axes, results: Sequence[VariantResult]) -> None:
    places = _side_by_side([one.parameters / 1e6 for one in results])
    for one, place in zip(results, places, strict=True):
        mean, (low, high) = float(one.cider.mean()), interval(sampled_means(one.cider))
        axis.errorbar(
            place, mean, [[mean - low], [high - mean]], marker="o", capsize=2, label=one.name
        )
    axis.set(xlabel="parameters beside the encoder's, millions", ylabel="CIDEr on val, 95 %")


def _side_by_side(sizes: Sequence[float], gap: float = 0.025) -> list[float]:
    """Where on the axis sizes are drawn: those that would cover each other, beside each other.

    `gap` is the least distance, as a share of the axis.
    """
    places, last = list(sizes), -np.inf
    least = gap * (max(sizes) - min(sizes) or max(sizes))
    for i in np.argsort(sizes, kind="stable").tolist():
        last = places[i] = max(places[i], last + least)
    return places


def _against_length(axis: Axes, results: Sequence[VariantResult], lengths: Array) -> None:
    """The mean CIDEr of the photos that people describe in few words, in more, in many."""
    groups = np.array_split(np.argsort(lengths, kind="stable"), BINS)
    middles = [float(lengths[group].mean()) for group in groups]
    for one in results:
        axis.plot(middles, [one.cider[group].mean() for group in groups], ".-", label=one.name)
    axis.set(xlabel="words in the photo's human captions, mean", ylabel="CIDEr on val")
