"""A comparison of sweeps on the screen."""

from __future__ import annotations

import sys

from search.comparison.compare import Comparison, Pair
from search.comparison.words import answer, notes
from search.console.screen import Column, label_table, screen_of
from search.formatting import points
from search.stats.differences import Difference

_CLASSES = 30  # rows on the screen


def show_comparison(comparison: Comparison) -> None:
    """The answer, the sweeps, and their differences; scores in points."""
    screen = screen_of(sys.stdout)
    for pair in comparison.pairs:
        screen.print(answer(comparison, pair), style="bold")
    screen.print()
    sides = comparison.sides
    found: list[Difference | None] = [None, *(pair.difference for pair in comparison.pairs)]
    columns = [
        Column("mean", [points(one.standing.mean) for one in sides]),
        Column("corrected", [points(one.standing.mean - one.luck) for one in sides], 4),
        Column("cells", [f"{one.standing.cells}" for one in sides], 3),
        Column("difference", ["" if d is None else points(d.mean, True) for d in found]),
        Column("95% interval", ["" if d is None else _interval(d) for d in found]),
        Column("P(first better)", [_better(comparison, d) for d in found], 1),
        Column("shared", ["" if d is None else str(d.cells) for d in found], 2),
    ]
    labels = [f"{one.name}: {one.label}" for one in sides]
    screen.print(label_table("sweep: config", labels, columns, screen.width))
    for pair in comparison.pairs:
        if pair.classes and not pair.same:
            _show_classes(pair, screen.width)
    screen.print()
    for line in notes(comparison):
        screen.print(line)


def _interval(found: Difference) -> str:
    if found.low is None or found.high is None:
        return "-"
    return f"{points(found.low, True)} .. {points(found.high, True)}"


def _better(comparison: Comparison, found: Difference | None) -> str:
    if found is None:
        return ""
    if found.positive is None:
        return "-"
    return f"{found.positive if comparison.mode == 'max' else 1 - found.positive:.2f}"


def _show_classes(pair: Pair, width: int) -> None:
    screen = screen_of(sys.stdout)
    shown = sorted(
        pair.classes,
        key=lambda one: 0.0 if one.difference is None else -abs(one.difference.mean),
    )[:_CLASSES]
    columns = [
        Column("first", [points(one.first) for one in shown], 1),
        Column("second", [points(one.second) for one in shown], 1),
        Column(
            "difference",
            ["-" if (d := one.difference) is None else points(d.mean, True) for one in shown],
        ),
        Column(
            "95% interval",
            ["-" if one.difference is None else _interval(one.difference) for one in shown],
        ),
    ]
    left = len(pair.classes) - len(shown)
    screen.print(f"\nF1 per class, {pair.first.name} and {pair.second.name}:")
    screen.print(label_table("class", [one.name for one in shown], columns, width))
    if left:
        screen.print(f"... and {left:,} classes more; --json has them all")
