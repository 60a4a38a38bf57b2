"""A comparison as JSON and in sentences."""

from __future__ import annotations

from typing import Any

from search.comparison.compare import ClassDifference, Comparison, Pair
from search.comparison.sides import Side
from search.formatting import counted, points, unit


def to_json(comparison: Comparison) -> dict[str, Any]:
    """The document of `compare --json`: scores are fractions.

    With two sweeps the fields of their one comparison stand at the top, too.
    """
    pairs = [_pair(comparison, pair) for pair in comparison.pairs]
    return {
        "objective": comparison.metric,
        "mode": comparison.mode,
        "rope": comparison.rope,
        **(pairs[0] if len(pairs) == 1 else {}),
        "sweeps": [_side(one) for one in comparison.sides],
        "comparisons": pairs,
    }


def _side(one: Side) -> dict[str, Any]:
    spec, row = one.plan.spec, one.standing
    return {
        "name": one.name,
        "sweep": spec.name,
        "space": spec.space,
        "data": spec.data.name,
        "model": spec.model,
        "objective": one.plan.space.objective,
        "config": one.plan.axes_of(one.config),
        "label": one.label,
        "mean": row.mean,
        "corrected": row.mean - one.luck,
        "ci_low": row.ci_low,
        "ci_high": row.ci_high,
        "cells": row.cells,
        "blocks": len(one.plan.blocks),
    }


def _pair(comparison: Comparison, pair: Pair) -> dict[str, Any]:
    found, better = pair.difference, pair.difference.positive
    if comparison.mode == "min" and better is not None:
        better = 1 - better
    return {
        "first": pair.first.name,
        "second": pair.second.name,
        "answer": answer(comparison, pair),
        "difference": found.mean,
        "ci_low": found.low,
        "ci_high": found.high,
        "p_better": better,
        "p_equal": found.equal,
        "difference_as_picked": pair.as_picked,
        "paired": pair.apart is None,
        "why_unpaired": pair.apart,
        "cells_shared": found.cells,
        "same_cells": pair.same,
        "classes": [_class(one) for one in pair.classes],
        "classes_note": pair.class_note or None,
    }


def _class(one: ClassDifference) -> dict[str, Any]:
    found = one.difference
    return {
        "class": one.name,
        "first_f1": one.first,
        "second_f1": one.second,
        "difference": None if found is None else found.mean,
        "ci_low": None if found is None else found.low,
        "ci_high": None if found is None else found.high,
        "p_above": None if found is None else found.positive,
    }


def answer(comparison: Comparison, pair: Pair) -> str:
    """The comparison in one sentence."""
    found, first, second = pair.difference, pair.first.name, pair.second.name
    if pair.same:
        return f"{first} and {second} are the same {counted(found.cells, 'trained cell')}."
    basis = (
        f"paired over {counted(found.cells, 'shared cell')}"
        if pair.apart is None
        else f"not paired, since {pair.apart}"
    )
    sign = 1 if comparison.mode == "max" else -1
    measure = unit(comparison.metric)
    gap = f"{points(abs(found.mean))} {measure}"
    if found.low is None or found.high is None or found.positive is None:
        return f"{first} and {second} differ by {gap}, {basis}: too few for an interval."
    low, high = sorted(sign * end for end in (found.low, found.high))
    better = found.positive if sign > 0 else 1 - found.positive
    if low > 0 or high < 0:
        won, lost = (first, second) if low > 0 else (second, first)
        low, high = (low, high) if low > 0 else (-high, -low)
        sure = better if won == first else 1 - better
        return (
            f"{won} is better than {lost} by {gap} ({points(low)} to {points(high)}), "
            f"{_probability(sure)}, {basis}."
        )
    return (
        f"{first} and {second} cannot be told apart: {points(sign * found.mean, True)} {measure} "
        f"({points(low, True)} to {points(high, True)}) for {first}, better {_with(better)}, "
        f"{basis}."
    )


def _probability(value: float) -> str:
    return f"probability {_bounded(value)}"


def _with(value: float) -> str:
    return f"with probability {_bounded(value)}"


def _bounded(value: float) -> str:
    """A probability in two places that is never called certain."""
    return "above 0.99" if value > 0.995 else "under 0.01" if value < 0.005 else f"{value:.2f}"


def notes(comparison: Comparison) -> list[str]:
    """Lines that explain the figures."""
    first = comparison.sides[0].name
    lines = [
        f"{comparison.metric} in {unit(comparison.metric)}. Differences are {first} minus the other"
        + (", a low score being good" if comparison.mode == "min" else "")
        + "; 95% intervals allow for training rows that cells share."
    ]
    if not comparison.own:
        others = sorted({one.plan.space.objective for one in comparison.sides})
        lines.append(
            f"The configs were picked by {' and '.join(others)}: the luck of a pick is not taken "
            f"off {comparison.metric}."
        )
    elif any(one.luck for one in comparison.sides):
        picked = ", ".join(
            f"{points(one.luck, True)} from {one.name}" for one in comparison.sides if one.luck
        )
        lines.append(f"The luck of having been picked is taken off: {picked}.")
    if len(comparison.pairs) > 1 and len(comparison.pairs) < 100:
        lines.append(f"Of {len(comparison.pairs)} intervals at 95% one may miss by chance alone.")
    for pair in comparison.pairs:
        if pair.apart is not None:
            lines.append(
                f"{pair.first.name} and {pair.second.name}: not paired, since {pair.apart}; the "
                "interval is that of two samples, and wider."
            )
        if pair.class_note:
            lines.append(
                f"{pair.first.name} and {pair.second.name}: nothing per class, since "
                f"{pair.class_note}."
            )
    return lines
