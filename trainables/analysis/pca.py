"""Representations on their first two principal components (Lee's figure 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from trainables.analysis import lettering
from trainables.engine.arrays import IntArray, RealArray

# The paper's red and blue, and further colours for more classes.
COLOURS = (
    *("#c0392b", "#2c6fbb", "#2a9d5c", "#e0a030", "#8e5bb5"),
    *("#6b6b6b", "#17a2b8", "#d96ba8", "#7a4a21", "#9acd32"),
)
_MOST_POINTS = 2_000  # a panel; more only cover one another


@dataclass(frozen=True)
class Panel:
    """One representation of the page.

    Attributes:
        title: Title above the panel.
        points: Features of the test rows, (rows, width).
        labels: Class ids of the rows, (rows,).
        note: Numbers below the title.
    """

    title: str
    points: RealArray
    labels: IntArray
    note: str = ""


def plane(points: RealArray) -> tuple[RealArray, RealArray]:
    """Return points on two principal components, and the components' shares.

    The points are (rows, 2).
    """
    pca = PCA(n_components=2, svd_solver="full", random_state=0)
    projected = pca.fit_transform(np.asarray(points, np.float64))
    return projected, pca.explained_variance_ratio_


def page(panels: Sequence[Panel], label_names: Sequence[str], title: str, path: Path) -> None:
    """Draw one page of panels.

    Args:
        panels: Panels in their order, four a row.
        label_names: Class names by id.
        title: Title above the page.
        path: Path of the picture.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(3.4 * columns, 3.6 * rows + 0.9), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, drawn in zip(panels, axes, strict=False):
        _draw(panel, drawn, len(label_names))
    for drawn in axes[len(panels) :]:
        drawn.set_visible(False)
    keys = [
        Line2D([], [], marker="o", linestyle="", color=COLOURS[i % len(COLOURS)], label=name)
        for i, name in enumerate(label_names)
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=min(8, len(keys)), frameon=False)
    lettering.save(figure, path, dpi=130)


def _draw(panel: Panel, drawn: object, classes: int) -> None:
    from matplotlib.axes import Axes

    if not isinstance(drawn, Axes):
        raise TypeError(f"a panel is drawn on Axes, got {type(drawn).__name__}.")
    points, shares = plane(panel.points)
    # In one shuffled order, so that no class lies on top of the others.
    order = np.random.default_rng(0).permutation(len(points))[:_MOST_POINTS]
    colours = np.array([COLOURS[i % len(COLOURS)] for i in range(classes)])[panel.labels[order]]
    drawn.scatter(points[order, 0], points[order, 1], s=7, c=colours, alpha=0.55, linewidths=0)
    drawn.set_title(f"{panel.title}\n{panel.note}" if panel.note else panel.title, fontsize=9)
    # A few far points would squeeze all others into a corner: they are counted instead.
    low, high = np.quantile(points, [0.005, 0.995], axis=0)
    room = 0.2 * np.maximum(high - low, 1e-9)
    low, high = low - room, high + room
    beyond = int(((points < low) | (points > high)).any(axis=1).sum())
    drawn.set_xlim(low[0], high[0])
    drawn.set_ylim(low[1], high[1])
    drawn.locator_params(nbins=5)
    left_out = f", {beyond} point{'s' if beyond > 1 else ''} beyond" if beyond else ""
    drawn.set_xlabel(f"PC 1 ({shares[0]:.0%}){left_out}", fontsize=8)
    drawn.locator_params(axis="x", nbins=5)  # more would touch one another
    drawn.set_ylabel(f"PC 2 ({shares[1]:.0%})", fontsize=8)
    drawn.tick_params(labelsize=7)
