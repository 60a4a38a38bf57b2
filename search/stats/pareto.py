"""Configs that no other beats in two criteria at once."""

from __future__ import annotations

import numpy as np

from search.arrays import BoolArray, FloatArray


def front(scores: FloatArray, costs: FloatArray) -> BoolArray:
    """Mask of the Pareto front: high scores at low costs.

    Of equal points each is on it; nan is never.

    Args:
        scores: Score of each config, high where it is good, (configs,).
        costs: Cost of each, low where it is good, (configs,).

    Returns:
        bool (configs,).
    """
    there = np.isfinite(scores) & np.isfinite(costs)
    better = scores[:, None] > scores[None, :]
    no_worse = scores[:, None] >= scores[None, :]
    cheaper = costs[:, None] < costs[None, :]
    no_dearer = costs[:, None] <= costs[None, :]
    beats = ((better & no_dearer) | (no_worse & cheaper)) & there[:, None]
    return np.asarray(there & ~beats.any(axis=0))
