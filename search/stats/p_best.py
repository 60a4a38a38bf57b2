"""Each config's probability of being the best, those that were stopped early or never tried too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from search.arrays import FloatArray
from search.stats import intervals
from search.strategies.board import Board, Problem


@dataclass(frozen=True)
class Chances:
    """Who may be the best.

    Attributes:
        p_best: By config, sums to 1, (configs,); None while the leaders share fewer than three
            blocks.
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
    """Probability of each config that its expected score is the best.

    A race stops a config that is probably not the best, which is not the same as certainly: while
    configs without all their cells are left, the probability is shared out over them too, by the
    model that the race itself goes by.

    Args:
        problem: The sweep in numbers.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        failed: Configs of which a cell failed; they can never be complete.
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
    from search.strategies.surrogate import believe, build_features

    belief = believe(build_features(problem), Board.of(problem, scores))
    p_best = belief.p_best(problem) if _meet(problem, scores, belief.mean) else None
    return Chances(p_best, "surrogate", belief.mean)


def _meet(problem: Problem, scores: FloatArray, means: FloatArray) -> bool:
    """Whether the two that lead share so many blocks that a probability says something.

    These are the two best that have all their cells, else the two best by the model: one cell each
    gave a probability of 0.98 to a config that fell behind two cells later.
    """
    told = np.isfinite(scores)
    complete = np.flatnonzero(told.all(axis=1))
    among = complete if len(complete) > 1 else np.flatnonzero(told.any(axis=1))
    if len(among) < 2:
        return False
    first, second = among[np.argsort(-problem.sign * means[among], kind="stable")][:2]
    return int((told[first] & told[second]).sum()) >= intervals.FEWEST_FOR_INTERVAL
