"""Figures of the axes: effects, importance, and pairs as maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.report.effects import AxisEffect, Effects, PairEffect
from search.report.figures.style import BLUE, GREY, MAP, Picture, canvas, finish, labels

_PAIRS = 4  # maps of a report
_LETTER, _MAP = 0.07, 3.6  # inches: a letter of a tick, all maps of a row
_TICKS = 12  # of an axis; what a space lists is fewer


def importance(effects: Effects) -> Picture | None:
    """Share of a cell's variance by axis; None with one axis.

    The rest is noise.
    """
    axes, pairs = effects.axes, effects.pairs[:3]
    if len(axes) < 2:
        return None
    scale = 100 * (1 - effects.noise)
    names = [axis.name for axis in axes] + [" with ".join(pair.names) for pair in pairs]
    names.append("noise of one cell")
    figure, (panel,) = canvas(0.9 + 0.27 * len(names))
    for place, axis in enumerate(axes):
        reach = [scale * axis.importance_low, scale * axis.importance_high]
        panel.barh(place, scale * axis.importance, color=BLUE, height=0.62)
        panel.plot(reach, [place, place], color="#222222", lw=1.4)
        panel.plot(reach, [place, place], "|", color="#222222", ms=7)
    for place, pair in enumerate(pairs, start=len(axes)):
        panel.barh(place, scale * pair.importance, color="white", edgecolor=GREY, height=0.62)
    panel.barh(len(names) - 1, 100 * effects.noise, color=GREY, height=0.62)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.set_xlim(0, None)
    panel.set_xlabel("share of the variance of one cell's score, %")
    panel.grid(axis="x")
    panel.set_axisbelow(True)
    return finish(
        figure,
        "axis-importance",
        "Which axes matter",
        f"{_foremost(effects)} Blue: an axis alone, with its interval; white: what two axes do "
        "together beyond either alone; grey: what differs between two cells of one config on "
        "blocks that are equally hard. The race's model of all configs, fitted to every trained "
        "cell.",
    )


def _foremost(effects: Effects) -> str:
    first, scale = effects.matters_most, 100 * (1 - effects.noise)
    if first is None:
        clear = [axis.name for axis in effects.axes if axis.clear]
        if not clear:
            return "No axis can be said to matter: every effect lies inside its interval."
        seen = " and ".join(clear)
        return f"{seen} can be seen to matter; which axis matters most cannot be told."
    return (
        f"{first.name} matters most: {scale * first.importance:.0f}% of the variance of one "
        f"cell's score, 95% interval {scale * first.importance_low:.0f} to "
        f"{scale * first.importance_high:.0f}%."
    )


def effect(effects: Effects, objective: str, unit: str) -> Picture:
    """Mean score by value of each axis, with its interval."""
    axes = effects.axes
    columns = min(3, len(axes))
    rows = -(-len(axes) // columns)
    figure, panels = canvas(2.1 * rows + 0.2, rows, columns)
    low = min(float(axis.low.min()) for axis in axes)
    high = max(float(axis.high.max()) for axis in axes)
    pad = 0.06 * (high - low) or 0.01
    for number, (panel, axis) in enumerate(zip(panels, axes, strict=False)):
        at = np.arange(len(axis.values))
        spread = [axis.mean - axis.low, axis.high - axis.mean]
        panel.errorbar(
            at,
            100 * axis.mean,
            100 * np.array(spread),
            # Names have no order that a line could follow.
            fmt="o" if any(isinstance(value, str) for value in axis.values) else "o-",
            color=BLUE,
            ms=4,
            capsize=3,
        )
        places, names = _ticks(axis.values)
        long = max(map(len, names)) * len(names) > 22
        panel.set_xticks(
            places,
            names,
            fontsize=8,
            rotation=45 if long else 0,
            ha="right" if long else "center",
            rotation_mode="anchor",
        )
        panel.set_xlim(-0.5, len(at) - 0.5)
        panel.set_ylim(100 * (low - pad), 100 * (high + pad))
        panel.set_title(axis.name)
        panel.grid(axis="y")
        if number % columns == 0:
            panel.set_ylabel(f"{objective}, {unit}", fontsize=8.5)
    for panel in panels[len(axes) :]:
        panel.remove()
    return finish(
        figure,
        "axis-effects",
        "What each axis does",
        "Mean score of all configs with a value, averaged over the other axes. The 95% interval "
        f"is that of its difference to the average config. {_told(axes, unit)}",
    )


def _told(axes: Sequence[AxisEffect], unit: str) -> str:
    first = axes[0]
    best, worst = int(first.mean.argmax()), int(first.mean.argmin())
    names = labels(first.values)
    gap = 100 * float(first.mean[best] - first.mean[worst])
    if not first.clear:
        return f"The values of {first.name}, {gap:.2f} {unit} apart at most, cannot be told apart."
    return f"From {first.name}={names[worst]} to {names[best]} it rises by {gap:.2f} {unit}."


def _ticks(values: Sequence[object]) -> tuple[list[int], list[str]]:
    """Places and names of an axis's ticks.

    Of many values, as of a range, every n-th has one.
    """
    step = -(-len(values) // _TICKS)
    places = list(range(0, len(values), step))
    return places, labels([values[place] for place in places])


def maps(effects: Effects, objective: str, unit: str) -> Picture | None:
    """Maps of the axis pairs that matter most; None without two axes."""
    pairs = _mattering(effects)
    if not pairs:
        return None
    columns = 1 if len(pairs) == 1 else 2
    rows = -(-len(pairs) // columns)
    tall = max(len(pair.values[0]) for pair in pairs)
    figure, panels = canvas(rows * float(np.clip(0.32 * tall + 1.0, 1.9, 4.5)) + 0.2, rows, columns)
    low = min(float(np.nanmin(pair.mean)) for pair in pairs)
    high = max(float(np.nanmax(pair.mean)) for pair in pairs)
    image = None
    for panel, pair in zip(panels, pairs, strict=False):
        edges = [np.arange(len(values) + 1) - 0.5 for values in pair.values]
        image = panel.pcolormesh(
            edges[1], edges[0], 100 * pair.mean, cmap=MAP, vmin=100 * low, vmax=100 * high
        )
        panel.invert_yaxis()
        first, second = (_ticks(values) for values in pair.values)
        panel.set_yticks(*first, fontsize=8)
        # Names of 8 points, side by side with a letter between them.
        long = _LETTER * sum(len(name) + 1 for name in second[1]) > _MAP / columns
        panel.set_xticks(*second, fontsize=8, rotation=60 if long else 0)
        panel.set_ylabel(pair.names[0])
        panel.set_xlabel(pair.names[1])
        _write(panel, pair, low, high)
    for panel in panels[len(pairs) :]:
        panel.remove()
    if image is not None:
        figure.colorbar(image, ax=panels[: len(pairs)], label=f"{objective}, {unit}", shrink=0.8)
    return finish(
        figure,
        "axis-pairs",
        "Two axes at a time",
        "Mean score of all configs with both values, averaged over the other axes: the race's "
        "model of all configs, fitted to every trained cell. A dot marks values that no trained "
        "cell had: there the model guesses from the neighbours.",
    )


def _mattering(effects: Effects) -> list[PairEffect]:
    """Pairs of the axes that matter most, those that act together first."""
    weight = {axis.name: axis.importance for axis in effects.axes}
    return sorted(
        effects.pairs,
        key=lambda pair: -(pair.importance + sum(weight[name] for name in pair.names)),
    )[:_PAIRS]


def _write(panel: object, pair: PairEffect, low: float, high: float) -> None:
    from matplotlib.axes import Axes

    if not isinstance(panel, Axes):
        return
    if len(pair.values[1]) > _TICKS:
        return  # they would stand on one another; the colours tell
    size = 7.5 if len(pair.values[1]) <= 5 else 6.5
    for i, row in enumerate(pair.mean):
        for j, value in enumerate(row):
            if not np.isfinite(value):
                continue
            dark = value < low + 0.55 * (high - low)
            mark = "" if pair.cells[i, j] else "\N{MIDDLE DOT}"
            panel.text(
                j,
                i,
                f"{100 * value:.1f}{mark}",
                ha="center",
                va="center",
                fontsize=size,
                color="white" if dark else "black",
            )
