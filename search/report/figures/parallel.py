"""Configs as lines across their axes, parallel coordinates.

Inselberg, The Visual Computer 1:69-91, 1985.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from search.report.evidence import Evidence
from search.report.figures.style import GREY, MAP, ORANGE, Picture, canvas, finish, number
from trainables.engine.contract import Scalar

_MOST = 300  # lines: more make a grey wall and a large file
_TICKS = 12
_NAME = 18  # letters of a value that are shown
_NONE = "-"  # of an axis that has no effect in a config


def parallel(evidence: Evidence) -> Picture | None:
    """A line for each config with a score.

    None where fewer than two axes vary.
    """
    rows = [row for row in evidence.standings.rows if np.isfinite(row.mean)]
    every = {row.config: evidence.plan.axes_of(row.config) for row in rows}
    axes = _axes(list(every.values()))
    if len(axes) < 2:
        return None
    shown = rows[:: -(-len(rows) // _MOST)]
    means = np.array([100 * row.mean for row in shown])
    low, high = float(means.min()), float(means.max())
    reach = high - low or 1.0
    figure, (panel,) = canvas(3.6)
    # Configs of one value leave it side by side, the best on top.
    spread = 0.05 * (np.linspace(1, -1, len(shown)) if len(shown) > 1 else np.zeros(1))
    colours = _colours((means - low) / reach)
    last = len(axes)
    for place in range(len(shown))[::-1]:
        of_config = every[shown[place].config]
        heights = [
            (values.index(_value(of_config, name)) + spread[place]) / max(len(values) - 1, 1)
            for name, values in axes.items()
        ]
        heights.append((means[place] - low) / reach)
        first = place == 0
        panel.plot(
            range(last + 1),
            heights,
            color=ORANGE if first else colours[place],
            lw=2.2 if first else 0.7,
            alpha=1.0 if first else 0.75,
            zorder=3 if first else 2,
        )
    for at, values in enumerate(axes.values()):
        panel.axvline(at, color=GREY, lw=0.8)
        step = -(-len(values) // _TICKS)
        for index in range(0, len(values), step):
            height = index / max(len(values) - 1, 1)
            _say(panel, at, height, _name(values[index]))
    panel.axvline(last, color=GREY, lw=0.8)
    for height in (0.0, 0.5, 1.0):
        _say(panel, last, height, f"{low + height * reach:.1f}")
    names = [*axes, evidence.plan.space.objective]
    turned = max(map(len, names)) * len(names) > 64
    panel.set_xticks(
        range(last + 1),
        names,
        rotation=30 if turned else 0,
        ha="right" if turned else "center",
        rotation_mode="anchor",
    )
    panel.set_yticks([])
    panel.set_xlim(-0.15, last + 0.45)
    panel.set_ylim(-0.09, 1.09)
    for side in ("left", "bottom"):
        panel.spines[side].set_visible(False)
    count = f"{len(shown):,} of the {len(rows):,}" if len(shown) < len(rows) else f"{len(rows):,}"
    return finish(
        figure,
        "parallel",
        "Every config as a line",
        f"{count} configs with a score, each a line across its axes to its mean; lighter is a "
        f"higher mean, orange the first. A '{_NONE}' stands where an axis has no effect.",
    )


def _axes(every: Sequence[Mapping[str, Scalar]]) -> dict[str, list[Scalar | str]]:
    """Axes that vary, with their values in order."""
    axes = {}
    for name in dict.fromkeys(name for of_config in every for name in of_config):
        values = list(dict.fromkeys(_value(of_config, name) for of_config in every))
        if len(values) > 1:
            axes[name] = sorted(values, key=_order)
    return axes


def _value(of_config: Mapping[str, Scalar], name: str) -> Scalar | str:
    return of_config.get(name, _NONE)


def _order(value: Scalar | str) -> tuple[int, float, str]:
    """Absent first, then numbers, then names."""
    if value == _NONE or value is None:
        return 0, 0.0, ""
    if isinstance(value, (int, float)):
        return 1, float(value), ""
    return 2, 0.0, str(value)


def _name(value: Scalar | str) -> str:
    text = number(value)
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _colours(shares: np.ndarray) -> list[tuple[float, ...]]:
    import matplotlib as mpl

    # The lightest tenth cannot be seen on white.
    return [tuple(colour) for colour in mpl.colormaps[MAP](0.9 * shares)]


def _say(panel: object, at: float, height: float, text: str) -> None:
    from matplotlib.axes import Axes

    if isinstance(panel, Axes):
        panel.text(
            at + 0.04,
            height,
            text,
            fontsize=8,
            va="center",
            zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
        )
