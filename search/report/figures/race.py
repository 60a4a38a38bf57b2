"""Figures of the race's course, and of gain by data size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from search.arrays import IntArray
from search.formatting import unit
from search.report.evidence import Evidence
from search.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    Picture,
    canvas,
    finish,
)
from search.report.paper import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Course:
    """Number of configs tried, alive and complete after each cell, (cells,).

    Attributes:
        tried: Had at least one cell.
        alive: Had one, and still got another later or had them all: were not dropped yet.
        complete: Had a cell in every block.
    """

    tried: IntArray
    alive: IntArray
    complete: IntArray


def course(arrivals: IntArray, blocks: int) -> Course:
    """Count configs along the cells.

    Args:
        arrivals: Pairs (config, block) in the order in which they came, (cells, 2).
        blocks: Number of cells of a complete config.
    """
    configs = arrivals[:, 0]
    number = np.arange(len(configs))
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    counts: dict[int, int] = {}
    completed = np.zeros(len(configs), np.int64)
    for place, config in enumerate(configs.tolist()):
        first.setdefault(config, place)
        last[config] = place
        counts[config] = counts.get(config, 0) + 1
        completed[place] = counts[config] == blocks
    began = np.bincount(list(first.values()), minlength=len(configs))
    # A config that ended complete was never dropped.
    ended = [place + 1 for config, place in last.items() if counts[config] < blocks]
    dropped = np.bincount(ended, minlength=len(configs) + 1)[: len(number)]
    tried = np.cumsum(began)
    return Course(tried, tried - np.cumsum(dropped), np.cumsum(completed))


def race(evidence: Evidence) -> Picture | None:
    """Configs tried, alive and complete by cells; None before two cells."""
    if len(evidence.arrivals) < 2:
        return None
    plan = evidence.plan
    counts = course(evidence.arrivals, len(plan.blocks))
    cells = np.arange(1, len(evidence.arrivals) + 1)
    figure, (panel,) = canvas(2.9)
    for values, colour, dashes, name in (
        (counts.tried, GREY, ":", "tried"),
        (counts.alive, BLUE, "-", "still in the race"),
        (counts.complete, GREEN, "--", "all cells"),
    ):
        panel.step(cells, values, where="post", color=colour, ls=dashes, lw=1.8, label=name)
    panel.set_xlabel("cells used")
    panel.set_ylabel("configs")
    # The square root opens up the few that stay, below the many that were tried.
    panel.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0)), np.square))
    panel.set_ylim(0, 1.5 * max(int(counts.tried[-1]), 1))
    panel.set_yticks(_ticks(int(counts.tried[-1])))
    panel.grid()
    panel.set_axisbelow(True)
    panel.legend(fontsize=8.5, loc="upper left", ncols=3)
    share = len(evidence.arrivals) / evidence.exhaustive_cells
    untried = len(plan.configs) - int(counts.tried[-1])
    return finish(
        figure,
        "race",
        "How the search went",
        f"{len(evidence.arrivals):,} cells of {evidence.exhaustive_cells:,} ({100 * share:.1f}%), "
        f"in the order in which they ended. {int(counts.tried[-1]):,} of {len(plan.configs):,} "
        f"configs were tried, {int(counts.complete[-1]):,} got all {len(plan.blocks)} cells"
        + (f", {untried:,} none: the model of the axes spoke against them." if untried else "."),
    )


def _ticks(top: int) -> list[int]:
    steps = [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
    # Every third, so that they stand apart on a square-root axis.
    return [0, *[step for step in steps if step <= 1.4 * top][-1::-2][:4][::-1]]


_POINTS_HIGH = 170.0  # of the panel, about
_LINE = 10.0  # points from a name to the next one above it
_NEAR = 1.5  # sizes whose names would meet


def by_size(verdicts: Sequence[Verdict], title: str, objective: str) -> Picture | None:
    """Gain over the baseline by size of the data, beside the paper's.

    Args:
        verdicts: Rows of tables of gains; those without our gain or size are left out.
        title: The figure of the paper that this is.
        objective: Metric of the gains.
    """
    ours = [verdict for verdict in verdicts if verdict.our_gain is not None and verdict.rows]
    if not ours:
        return None
    figure, (panel,) = canvas(3.3)
    seen: set[tuple[str, int]] = set()
    named: list[tuple[int, float, str]] = []
    for verdict in ours:
        if (
            verdict.our_gain is None
            or verdict.rows is None
            or (verdict.sweep, verdict.rows) in seen
        ):
            continue
        seen.add((verdict.sweep, verdict.rows))
        if verdict.low is not None and verdict.high is not None:
            panel.plot(
                [verdict.rows] * 2, [100 * verdict.low, 100 * verdict.high], color=BLUE, lw=1.6
            )
        panel.plot(verdict.rows, 100 * verdict.our_gain, "o", color=BLUE, ms=6)
        named.append((verdict.rows, 100 * verdict.our_gain, verdict.data))
    for verdict in ours:
        if verdict.paper_gain is not None and verdict.rows is not None:
            panel.plot(verdict.rows, 100 * verdict.paper_gain, "D", mfc="white", mec=ORANGE, ms=6)
    panel.axhline(0, color=INK, lw=0.8)
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda rows, _: f"{rows:,.0f}")
    left, right = panel.get_xlim()
    panel.set_xlim(left / 1.3, right * 2.2)
    _name(panel, named)
    panel.set_xlabel("rows of the data")
    panel.set_ylabel(f"gain over the baseline in {objective}, {unit(objective)}")
    panel.grid(axis="y")
    panel.set_axisbelow(True)
    return finish(
        figure,
        "gain-by-size",
        title,
        "Blue: ours, the luck of being picked taken off, with its 95% interval. Orange diamonds: "
        "the paper's gain on the same data.",
    )


def _name(panel: Axes, places: Sequence[tuple[int, float, str]]) -> None:
    """Write names beside points; those of one size stand above one another."""
    low, high = panel.get_ylim()
    points_each = (high - low) / _POINTS_HIGH
    last: dict[int, float] = {}  # size -> height of its highest name
    for rows, gain, name in sorted(places):
        near = next((size for size in last if max(size, rows) < _NEAR * min(size, rows)), rows)
        height = max(gain, last.get(near, low) + _LINE * points_each)
        last[near] = height
        panel.annotate(
            name,
            (rows, gain),
            xytext=(7, 3 + (height - gain) / points_each),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
