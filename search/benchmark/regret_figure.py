"""Figure of a benchmark: regret by cells used, a panel per table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which every kind of colour vision tells apart; with a marker each, they
# are told apart without colour too. The race is the thick black one.
_RACE = ("#000000", "o", "-")
_STYLES = (
    ("#0072B2", "s", "-"),
    ("#D55E00", "^", "-"),
    ("#009E73", "D", "-"),
    ("#CC79A7", "v", "-"),
    ("#E69F00", "P", "-"),
    ("#56B4E9", "X", "-"),
    ("#0072B2", "<", "--"),
    ("#D55E00", ">", "--"),
    ("#009E73", "d", "--"),
    ("#CC79A7", "p", "--"),
)
_EXHAUSTIVE = "exhaustive"
_BAND = ("regret_low", "regret_high")
_LABEL_ROOM = 0.3  # of the panel's width, for the names at its left


@dataclass(frozen=True)
class _Start:
    """Start of a line: per cent of cells, points, name, colour."""

    x: float
    y: float
    name: str
    color: str


def draw(documents: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw median regret by cells used, with exhaustive search as a line.

    The grey band is the 95% interval of the race's median.

    Args:
        documents: Documents of `search.benchmark.replay.judge`, one a panel.
        path: File to write; its suffix names the format.

    Raises:
        ValueError: when there is nothing to draw.
    """
    if not documents:
        raise ValueError("a figure needs at least one benchmark document, got none.")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(documents), 2)
    lines = -(-len(documents) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.6 * lines), layout="constrained", dpi=200)
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    names = dict.fromkeys(name for document in documents for name in document["strategies"])
    styles = _styles([name for name in names if name != _EXHAUSTIVE])
    for panel, document in zip(panels, documents, strict=False):
        _panel(panel, document, styles)
    for panel in panels[len(documents) :]:
        panel.remove()
    figure.savefig(path)


def _styles(names: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    others = [name for name in names if name != "race"]
    styles = {name: _STYLES[i % len(_STYLES)] for i, name in enumerate(others)}
    return {**styles, "race": _RACE}


def _panel(
    panel: Axes, document: Mapping[str, Any], styles: Mapping[str, tuple[str, str, str]]
) -> None:
    starts, heights = [], [1.0]
    for name, of in document["strategies"].items():
        points = [point for point in of["points"] if point["regret"] is not None]
        if name == _EXHAUSTIVE or not points:
            continue
        color, marker, dashes = styles[name]
        first = name == "race"
        x = [100 * point["cells_share"] for point in points]
        y = [100 * point["regret"] for point in points]
        panel.plot(
            x,
            y,
            color=color,
            marker=marker,
            linestyle=dashes,
            linewidth=2.4 if first else 1.2,
            markersize=5 if first else 4,
            zorder=5 if first else 3,
        )
        if first:  # one band: ten of them hide each other
            low, high = ([_percent(point[key]) for point in points] for key in _BAND)
            panel.fill_between(x, low, high, color="#999999", alpha=0.35, linewidth=0)
        heights += y
        starts.append(_Start(x[0], y[0], name, color))
    # The square root opens up the small regrets, where the strategies that matter lie.
    panel.set_yscale("function", functions=(_root, np.square))
    panel.set_ylim(0, 1.25 * max(heights))
    panel.set_xscale("log")
    left, right = panel.get_xlim()
    panel.set_xlim(left / (right / left) ** _LABEL_ROOM, right)
    _ticks(panel, left)
    _exhaustive_line(panel, 100 * (document["strategies"][_EXHAUSTIVE]["regret"] or 0.0))
    panel.set_title(
        f"{document['table']}: {document['configs']:,} configs x {document['blocks']} blocks",
        fontsize=9,
        loc="left",
    )
    panel.set_xlabel("cells used, % of the exhaustive sweep", fontsize=8)
    panel.set_ylabel("median regret, points", fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    _label(panel, starts)


def _exhaustive_line(panel: Axes, regret: float) -> None:
    panel.axhline(regret, color="#555555", linestyle=(0, (5, 3)), linewidth=1.2, clip_on=False)
    panel.annotate(
        "exhaustive",
        xy=(1.01, regret),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=8,
        color="#555555",
        annotation_clip=False,
    )


def _root(values: Any) -> Any:
    return np.sqrt(np.maximum(values, 0.0))


def _percent(value: float | None) -> float:
    # An interval that has no end (a replay named nothing) leaves the panel.
    return 1e3 if value is None else 100 * value


def _ticks(panel: Axes, left: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    right = panel.get_xlim()[1]
    ticks = [x for x in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if left <= x <= right]
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    top = panel.get_ylim()[1]
    fine = [x for x in (0, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if x <= top]
    panel.yaxis.set_major_locator(FixedLocator(fine) if len(fine) > 3 else MaxNLocator(5))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    panel.tick_params(labelsize=8)


def _label(panel: Axes, starts: Sequence[_Start]) -> None:
    """Write each line's name left of its start, where they lie apart."""
    starts = sorted(starts, key=lambda start: start.y)
    top = float(_root(panel.get_ylim()[1]))
    heights = spread([float(_root(start.y)) for start in starts], top / 14, 0.97 * top)
    for height, start in zip(heights, starts, strict=True):
        panel.annotate(
            start.name,
            xy=(start.x, start.y),
            xytext=(0.01, height / top),
            textcoords="axes fraction",
            color=start.color,
            fontsize=8,
            fontweight="bold" if start.name == "race" else "normal",
            # The line of exhaustive search may run behind a name.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
            zorder=5,
            va="center",
            arrowprops={
                "arrowstyle": "-",
                "color": start.color,
                "linewidth": 0.6,
                "shrinkB": 3,
                "relpos": (1.0, 0.5),
            },
        )


def spread(values: Sequence[float], gap: float, top: float) -> list[float]:
    """Spread rising values by the least moves to a distance of `gap`.

    Args:
        values: In rising order.
        gap: Least distance.
        top: Upper bound of them all while there is room below.
    """
    # Groups that touch move together, around the mean of where they would like to be.
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _start(groups[-1], gap) < _end(groups[-2], gap) + gap:
            last = groups.pop()
            groups[-1] += last
    placed = [_start(group, gap) + i * gap for group in groups for i in range(len(group))]
    for i in reversed(range(len(placed))):
        limit = top if i == len(placed) - 1 else placed[i + 1] - gap
        placed[i] = min(placed[i], limit)
    return placed


def _start(group: Sequence[float], gap: float) -> float:
    return max(sum(group) / len(group) - gap * (len(group) - 1) / 2, 0.0)


def _end(group: Sequence[float], gap: float) -> float:
    return _start(group, gap) + gap * (len(group) - 1)
