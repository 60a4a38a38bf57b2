"""Each config's probability of being the best, those that were stopped early or never tried too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from search import stats
from search.strategies.board import TOLD, Board

if TYPE_CHECKING:
    from search.plan import Plan

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chances:
    """Who may be the best.

    Attributes:
        p_best: By config, sums to 1, (configs,).
        by: "correlated t-test": joint posterior of the complete configs' means, where no other is
            left. "surrogate": the race's model of all configs, where some have fewer cells.
        means: The surrogate's posterior mean by config, (configs,); None for the t-test.
    """

    p_best: FloatArray
    by: Literal["correlated t-test", "surrogate"]
    means: FloatArray | None = None


def chances(
    plan: Plan, scores: FloatArray, failed: frozenset[int], test_share: float
) -> Chances | None:
    """Probability of each config that its expected score is the best.

    A race stops a config that is probably not the best, which is not the same as certainly: while
    configs without all their cells are left, the probability is shared out over them too, by the
    model that the race itself goes by.

    Args:
        plan: The sweep.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        failed: Configs of which a cell failed; they can never be complete.
        test_share: Share of the rows that a block holds out.

    Returns:
        None while no config is complete, or with a single block.
    """
    sign = 1.0 if plan.space.mode == "max" else -1.0
    complete = np.isfinite(scores).all(axis=1)
    if not complete.any() or scores.shape[1] < 2:
        return None
    out = np.zeros(len(scores), bool)
    out[list(failed)] = True
    if (complete | out).all():
        p_best = np.zeros(len(scores))
        p_best[complete] = stats.probability_best(sign * scores[complete], test_share)
        return Chances(p_best, "correlated t-test")
    from search.strategies.surrogate import believe, build_features

    board = Board(plan.problem)
    for config, block in np.argwhere(np.isfinite(scores)).tolist():
        board.set(config, block, TOLD, float(scores[config, block]))
    belief = believe(build_features(plan.problem), board)
    return Chances(belief.p_best(plan.problem), "surrogate", belief.mean)
