"""Figures on the page of search/strategies, drawn by the benchmarks that measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

IMAGES = Path(__file__).parents[2] / "search" / "strategies" / "images"
MARKS = (("o", "#0072b2"), ("s", "#e69f00"), ("^", "#009e73"))


def calibration(bins: Mapping[str, Sequence[tuple[float, float, int]]]) -> None:
    """Draw what was said against how often it was so.

    Args:
        bins: (said, was, number of forecasts) of each bin, by kind of sweep.
    """
    figure, axes = _new(4.6, 4.2)
    axes.plot([0, 1], [0, 1], "--", color="#999", lw=1)
    for (name, points), (mark, colour) in zip(bins.items(), MARKS, strict=False):
        said, was, count = np.array(points).T
        # Two standard errors of a frequency, of forecasts that do not lean on one another.
        error = 2 * np.sqrt(np.clip(said * (1 - said), 1e-4, None) / count)
        axes.errorbar(said, was, error, fmt=mark, color=colour, label=name, ms=5, lw=1, capsize=2)
    axes.set(xlim=(-0.02, 1), ylim=(-0.02, 1))
    axes.set_xlabel("P(best) that was said")
    axes.set_ylabel("how often it was the best")
    _keep(figure, "calibration")


def seconds(points: Mapping[tuple[int, str], Sequence[tuple[float, float]]]) -> None:
    """Draw mean regret against wall-clock seconds.

    Args:
        points: (seconds, regret) of each budget, by number of slots and way of counting.
    """
    figure, axes = _new(6.8, 3.6)
    slots = sorted({number for number, _ in points})
    marks = dict(zip(slots, MARKS, strict=False))
    for (number, way), line in points.items():
        mark, colour = marks[number]
        style = "-" if way == "by seconds" else "--"
        x, y = np.array(line).T
        label = f"{number} slots, {way}"
        axes.plot(x, 100 * y, style + mark, color=colour, label=label, ms=5)
    axes.set(xscale="log", yscale="log")
    axes.minorticks_off()
    heights = [0.1, 0.3, 1, 3, 10]
    axes.set_yticks(heights, [f"{height:g}" for height in heights])
    widths = [0.03, 0.1, 0.3, 1, 3]
    axes.set_xticks(widths, [f"{width:g}" for width in widths])
    axes.set_xlabel("seconds until the sweep ends")
    axes.set_ylabel("mean regret, points")
    _keep(figure, "seconds", beside=True)


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    mpl.rcParams.update({"svg.hashsalt": "foldrace", "font.size": 10})
    figure, axes = plt.subplots(figsize=(width, height))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _keep(figure: Figure, name: str, *, beside: bool = False) -> None:
    legend = figure.axes[0].legend(frameon=False, fontsize=9)
    if beside:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((1.02, 1.0))
    figure.tight_layout()
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
