"""Wilcoxon's signed-rank test as Optuna's WilcoxonPruner has it of SciPy, without waits on ties.

Accuracies on small folds tie all the time. SciPy then enumerates the signs of up to 13 differences
one by one, a tenth of a second for every cell; the same distribution is a product of as many
two-term polynomials.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from search.arrays import BoolArray, FloatArray

# Optuna's own defaults (optuna.pruners.WilcoxonPruner).
_P_THRESHOLD = 0.1
_STARTUP_STEPS = 2
# SciPy enumerates up to here where differences tie or vanish; beyond, it takes the normal.
_ENUMERATED = 13


def worse(mine: FloatArray, best: FloatArray, told: BoolArray) -> bool:
    """Whether the pruner drops a config: p < 0.1, from two cells on, never with the better mean.

    Args:
        mine: Scores of the config's cells, higher is better, float (cells,).
        best: Scores of the best complete config, (blocks,).
        told: Which of the blocks `mine` are, bool (blocks,).
    """
    if len(mine) < _STARTUP_STEPS or mine.mean() >= best.mean():
        return False
    return p_less(mine - best[told]) < _P_THRESHOLD


def p_less(differences: FloatArray) -> float:
    """P of differences at least as low, where each sign is a coin's; zeros are split.

    Equal to `scipy.stats.wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue`,
    and 1 where that has none.
    """
    if not differences.any():
        return 1.0  # many zeros have no normal approximation
    sizes = np.abs(differences)
    plain = sizes.all() and len(np.unique(sizes)) == len(sizes)
    if plain or len(sizes) > _ENUMERATED:
        test = stats.wilcoxon(differences, alternative="less", zero_method="zsplit")
        return float(test.pvalue)
    # Mean ranks are multiples of a half. Zeros add the same to every outcome, so they drop out.
    ranks = np.rint(2 * stats.rankdata(sizes)).astype(int)[differences != 0]
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1
    for rank in ranks:
        ways[rank:] = ways[rank:] + ways[: len(ways) - rank]
    positive = int(ranks[differences[differences != 0] > 0].sum())
    return float(ways[: positive + 1].sum() / ways.sum())
