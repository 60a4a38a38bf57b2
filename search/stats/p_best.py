"""Probability that each config is the best, unfinished ones included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from search.arrays import FloatArray
from search.stats import intervals
from search.strategies.board import Board, Problem


@dataclass(frozen=True)
class Chances:
    """Probability that each config is the best.

    Attributes:
        p_best: Probability by config, sums to 1, (configs,); None while the leaders share fewer
            than three blocks.
        by: "correlated t-test": joint posterior of the complete configs' means, where no other is
            left. "surrogate": the race's model of all configs, where some have fewer cells.
        means: The surrogate's posterior mean by config, (configs,); None for the t-test.
    """

    p_best: FloatArray | None
    by: Literal["correlated t-test", "surrogate"]
    means: FloatArray | None = None


def chances(
    problem: Problem, scores: FloatArray, failed: frozenset[int], test_share: float
) -> Chances | None:
    """Estimate each config's probability of having the best expected score.

    A race stops a config that is probably not the best, which is not the same as certainly: while
    configs without all their cells are left, the probability is shared out over them too, by the
    model that the race itself goes by.

    Args:
        problem: Problem that the strategy solves.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        failed: Configs with a failed cell; they can never be complete.
        test_share: Share of the rows that a block holds out.

    Returns:
        None while no config is complete, or with a single block.
    """
    complete = np.isfinite(scores).all(axis=1)
    if not complete.any() or scores.shape[1] < 2:
        return None
    out = np.zeros(len(scores), bool)
    out[list(failed)] = True
    if (complete | out).all():
        if scores.shape[1] < intervals.FEWEST_FOR_INTERVAL:
            return Chances(None, "correlated t-test")
        shares = np.zeros(len(scores))
        shares[complete] = intervals.probability_best(problem.sign * scores[complete], test_share)
        return Chances(shares, "correlated t-test")
    from search.strategies.features import build_features
    from search.strategies.surrogate import believe

    belief = believe(build_features(problem), Board.of(problem, scores))
    p_best = belief.p_best(problem) if _meet(problem, scores, belief.mean) else None
    return Chances(p_best, "surrogate", belief.mean)


def _meet(problem: Problem, scores: FloatArray, means: FloatArray) -> bool:
    """Return True where the two leaders share enough blocks for a probability.

    These are the two best that have all their cells, else the two best by the model: one cell each
    gave a probability of 0.98 to a config that fell behind two cells later.
    """
    scored = np.isfinite(scores)
    complete = np.flatnonzero(scored.all(axis=1))
    candidates = complete if len(complete) > 1 else np.flatnonzero(scored.any(axis=1))
    if len(candidates) < 2:
        return False
    first, second = candidates[np.argsort(-problem.sign * means[candidates], kind="stable")][:2]
    return int((scored[first] & scored[second]).sum()) >= intervals.FEWEST_FOR_INTERVAL
