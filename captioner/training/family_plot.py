"""The family of decoders as a picture: CIDEr against parameters and length, and how they learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from captioner.errors import CaptionerError
from captioner.evaluation.bootstrap import interval, sampled_means
from captioner.training.plot import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from captioner.training.family import Result

BINS = 4


def draw_family(results: Sequence[Result], lengths: npt.NDArray[np.float64], file: Path) -> None:
    """Write the picture; lengths (N) are the mean words of each photo's human captions."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise CaptionerError("drawing needs matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(8, 10), dpi=110, layout="constrained")
    by_size, by_length, learning = figure.subplots(3, height_ratios=(1.1, 1, 1))
    _against_parameters(by_size, results)
    _against_length(by_length, results, lengths)
    for one in results:
        learning.plot(one.nll.steps, one.nll.smoothed(), label=one.name)
    learning.set(xlabel="step", ylabel="nats a word, training")
    learning.set_ylim(top=float(np.quantile([v for one in results for v in one.nll.values], 0.95)))
    for axis in (by_size, by_length, learning):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    by_length.legend(fontsize="x-small", ncols=3)
    save_figure(figure, file)


def _against_parameters(axis: Axes, results: Sequence[Result]) -> None:
    ranked = sorted(results, key=lambda one: float(one.cider.mean()))
    for one in results:
        mean, (low, high) = float(one.cider.mean()), interval(sampled_means(one.cider))
        size = one.parameters / 1e6
        axis.errorbar(size, mean, [[mean - low], [high - mean]], marker="o", capsize=3)
        above = ranked.index(one) % 2
        axis.annotate(
            one.name, (size, high if above else low), (0, 4 if above else -11),
            textcoords="offset points", ha="center", fontsize="x-small",
        )  # fmt: skip
    axis.set(xlabel="parameters beside the encoder's, millions", ylabel="CIDEr on val, 95 %")
    axis.margins(x=0.12, y=0.12)


def _against_length(
    axis: Axes, results: Sequence[Result], lengths: npt.NDArray[np.float64]
) -> None:
    """The mean CIDEr of the photos that people describe in few words, in more, in many."""
    groups = np.array_split(np.argsort(lengths, kind="stable"), BINS)
    middles = [float(lengths[group].mean()) for group in groups]
    for one in results:
        axis.plot(middles, [one.cider[group].mean() for group in groups], ".-", label=one.name)
    axis.set(xlabel="words in the photo's human captions, mean", ylabel="CIDEr on val")
