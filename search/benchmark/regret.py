"""Summary of many replays' regrets, for tables, JSON and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from search.arrays import FloatArray, IntArray

_CONFIDENCE = 0.95


def summary(points: Sequence[tuple[float, FloatArray]]) -> dict[str, Any]:
    """One strategy's regrets at each of its budgets, as JSON.

    Args:
        points: Share of the cells used and the regrets of all replays, (replays,), by budget; nan
            is a replay that named no config.

    Returns:
        The last budget's "cells_share", "regret" (median), "regret_low" and "regret_high" (95%
        interval of the median), "regret_mean", "regret_se" (standard error of the mean) and
        "regret_p90"; "replays"; "curve", a row [cells_share, regret] for each budget; "points",
        the figures of each budget. Regrets are in the score's units, null where no config was
        named.
    """
    figures = [{"cells_share": float(share), **_figures(regrets)} for share, regrets in points]
    return {
        **figures[-1],
        "replays": len(points[-1][1]),
        "curve": [[point["cells_share"], point["regret"]] for point in figures],
        "points": figures,
    }


def paired(differences: FloatArray, seen: IntArray) -> dict[str, float | None]:
    """Mean of paired differences over deals, with its 95% interval.

    Deals of one table share seeds, so they say less than as many tables of fresh seeds would. Two
    deals without a common seed are taken as independent; half the mean squared difference of such
    two is the variance of one, and what it falls short with each common seed is their covariance.
    The rows are the same in all deals: the interval is one of this table.

    Args:
        differences: Difference of two strategies on each deal, (deals,).
        seen: Seeds of each deal, int (deals, seeds).
    """
    count = len(differences)
    if not np.isfinite(differences).all() or count < 2:
        return {"mean": None, "low": None, "high": None}
    common = (seen[:, None, :, None] == seen[None, :, None, :]).any(axis=3).sum(axis=2)
    common = common / seen.shape[1]
    above = np.triu_indices(count, 1)
    halves = np.square(differences[:, None] - differences[None]) / 2
    # Fitted by least squares: variance less covariance times the share of common seeds.
    design = np.stack([np.ones(len(above[0])), -common[above]], axis=1)
    (variance, covariance), *_ = np.linalg.lstsq(design, halves[above], rcond=None)
    variance = max(variance, float(differences.var(ddof=1)))
    covariance = float(np.clip(covariance, 0.0, variance))
    squared = variance / count + covariance * float(common[above].mean()) * (count - 1) / count
    mean, half = float(differences.mean()), 1.96 * float(np.sqrt(squared))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def median_ranks(count: int) -> tuple[int, int]:
    """Ranks of the order statistics around the median at 95% confidence.

    They count from 0.

    Distribution-free: the number of values below the median is binomial. Below 6 values no two of
    them reach 95%; then the smallest and the largest are taken.
    """
    low = int(stats.binom.ppf((1 - _CONFIDENCE) / 2, count, 0.5)) - 1
    return max(low, 0), min(count - 1 - low, count - 1)


def _figures(regrets: FloatArray) -> dict[str, float | None]:
    # Nothing named is as bad as it gets: it must not vanish from a median.
    ordered = np.sort(np.where(np.isnan(regrets), np.inf, regrets))
    low, high = median_ranks(len(ordered))
    error = (
        ordered.std(ddof=1) / np.sqrt(len(ordered)) if np.isfinite(ordered[-1:]).all() else np.inf
    )
    return {
        "regret": _finite(np.median(ordered)),
        "regret_low": _finite(ordered[low]),
        "regret_high": _finite(ordered[high]),
        "regret_mean": _finite(ordered.mean()),
        "regret_se": _finite(error),
        "regret_p90": _finite(np.quantile(ordered, 0.9, method="higher")),
    }


def _finite(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def rows(document: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of a regret table in points, by strategy and budget."""
    table = []
    for name, of in document["strategies"].items():
        for point in of["points"]:
            table.append(
                {
                    "strategy": name,
                    "cells": f"{100 * point['cells_share']:.1f}%",
                    "median regret": _points(point["regret"]),
                    "95% interval": f"{_points(point['regret_low'])} .. "
                    f"{_points(point['regret_high'])}",
                    "mean (s.e.)": f"{_points(point['regret_mean'])} "
                    f"({_points(point['regret_se'])})",
                    "90th percentile": _points(point["regret_p90"]),
                    "paired difference": _difference(point.get("minus_race")),
                    "seconds": _seconds(point.get("seconds")),
                }
            )
    return table


def _difference(of: Mapping[str, Any] | None) -> str:
    if of is None or of["mean"] is None:
        return ""
    return f"{100 * of['mean']:+.2f} [{100 * of['low']:+.2f}, {100 * of['high']:+.2f}]"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
