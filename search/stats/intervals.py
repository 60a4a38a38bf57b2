"""Uncertainty of a mean, a difference and a winner.

Every function takes scores by block, one score per (seed, fold). Blocks are not independent: their
training parts overlap, so the plain standard error is too small. The correction of Nadeau and
Bengio (Inference for the Generalization Error, Machine Learning 52, 2003, section 3) replaces 1/n
by 1/n + r / (1 - r), with r the correlation of two blocks, for which they take the share of rows
that two blocks hold out in common. With all other rows trained on, that is 1/n + test/train.

Where a cell trains on N drawn rows of the others (`--train-rows N`), r stays the held-out share:
the held-out rows are the same, and training parts have less in common. test / (test + N) would be
no share of anything. Two linear classifiers, 4 seeds x 5 folds, 300 simulated data sets of n rows;
coverage and width (points) of 95% intervals of a score and of a gain:

    n, N             r = 1/folds                   r = test / (test + N)
    1,000, all 800   0.96   6.1    0.99   2.6      the same
    2,000, 200       0.98   4.4    1.00   2.9      1.00  11.6    1.00   7.5
    2,000, 1,000     0.98   4.3    0.99   1.8      0.99   5.3    1.00   2.3
    10,000, 200      0.96   2.0    1.00   1.5      1.00  11.6    1.00   8.8
    10,000, 1,000    0.95   2.0    1.00   0.9      1.00   5.1    1.00   2.2

ROPE, the region of practical equivalence, is the range of differences that nobody cares about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from search.arrays import FloatArray, IntArray

# Two cells leave one degree of freedom: an interval wider than the scale itself.
FEWEST_FOR_INTERVAL = 3
_ROWS_AT_ONCE = 2_000  # of configs, in tables of their draws


@dataclass(frozen=True)
class Interval:
    """A mean, its interval, and the two-sided p-value of 0."""

    mean: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Probabilities that the first is better, practically equal, or worse."""

    better: float
    equal: float
    worse: float


def _scale(values: FloatArray, test_share: float) -> float:
    """Corrected standard error of the mean of correlated resamples."""
    ratio = test_share / (1 - test_share)
    return float(np.sqrt((1 / len(values) + ratio) * values.var(ddof=1)))


def _check(values: FloatArray, test_share: float) -> FloatArray:
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"at least 2 scores in one row are needed, got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite: leave missing cells out, and say so.")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie in (0, 1), got {test_share}.")
    return values


def _check_table(scores: npt.ArrayLike) -> FloatArray:
    table = np.asarray(scores, float)
    if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError(
            f"scores must be (configs, at least 2 blocks) without gaps, got shape {table.shape}."
        )
    return table


def corrected_interval(
    values: npt.ArrayLike, test_share: float, confidence: float = 0.95
) -> Interval:
    """T interval of a mean (difference) by Nadeau and Bengio's variance.

    Args:
        values: Scores or paired differences by block, (blocks,).
        test_share: Share of the rows that a block holds out: 1/5 for 5 folds.
        confidence: Coverage of the interval.

    Raises:
        ValueError: for fewer than 2 values, a missing one, or a share outside (0, 1).
    """
    row = _check(np.asarray(values, float), test_share)
    mean, scale, freedom = float(row.mean()), _scale(row, test_share), len(row) - 1
    if scale == 0:
        return Interval(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    half = float(special.stdtrit(freedom, 0.5 + confidence / 2)) * scale
    p_value = 2 * float(special.stdtr(freedom, -abs(mean) / scale))
    return Interval(mean, mean - half, mean + half, p_value)


def correlated_t_test(
    differences: npt.ArrayLike, test_share: float, rope: float = 0.0
) -> Comparison:
    """Bayesian correlated t-test (Corani and Benavoli, Machine Learning 100, 2015).

    Args:
        differences: First minus second, by block, (blocks,).
        test_share: Share of the rows that a block holds out; the correlation of two blocks.
        rope: Largest difference, either way, that counts as practically equal.

    Raises:
        ValueError: as `corrected_interval`, or for a negative rope.
    """
    if rope < 0:
        raise ValueError(f"rope must not be negative, got {rope}.")
    row = _check(np.asarray(differences, float), test_share)
    mean, scale, freedom = float(row.mean()), _scale(row, test_share), len(row) - 1
    if scale == 0:
        worse, up_to_rope = float(mean < -rope), float(mean <= rope)
    else:
        worse = float(special.stdtr(freedom, (-rope - mean) / scale))
        up_to_rope = float(special.stdtr(freedom, (rope - mean) / scale))
    return Comparison(better=1 - up_to_rope, equal=up_to_rope - worse, worse=worse)


def probability_best(
    scores: npt.ArrayLike, test_share: float, draws: int = 4000, seed: int = 0
) -> FloatArray:
    """Probability that each config's true mean is the highest, (configs,).

    The joint posterior whose pairwise margins are `correlated_t_test`: means plus block residuals
    times one shared normal vector, so that configs that rise and fall together do so in each draw.

    Args:
        scores: Score by config and block, none missing, (configs, blocks).
        test_share: Share of the rows that a block holds out.
        draws: Number of draws from the posterior.
        seed: Seed of the draws.

    Raises:
        ValueError: for fewer than 2 blocks or a missing score.
    """
    table = _check_table(scores)
    blocks = table.shape[1]
    # A block's common effect moves no difference between configs.
    centred = table - table.mean(axis=0)
    residuals = centred - centred.mean(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    freedom = blocks - 1
    normal = rng.standard_normal((blocks, draws))
    stretch = np.sqrt(freedom / rng.chisquare(freedom, draws))
    factor = np.sqrt((1 / blocks + test_share / (1 - test_share)) / freedom)
    means = table.mean(axis=1)

    def drawn(rows: slice) -> FloatArray:
        values = means[rows, None] + (residuals[rows] @ normal) * stretch * factor
        # Configs that are equal in every block share the probability, whichever stands first.
        return np.asarray(values + 1e-12 * rng.standard_normal(values.shape))

    best = _argmax(drawn, len(table), draws)
    return np.bincount(best, minlength=len(table)) / draws


def _argmax(part: Callable[[slice], FloatArray], rows: int, columns: int) -> IntArray:
    """Row of each column's first maximum, (columns,).

    The table is made in parts.

    Args:
        part: Function that makes some rows, (rows, columns); called from the first to the last.
        rows: Number of rows.
        columns: Number of columns.
    """
    best, highest = np.zeros(columns, np.int64), np.full(columns, -np.inf)
    for start in range(0, rows, _ROWS_AT_ONCE):
        values = part(slice(start, start + _ROWS_AT_ONCE))
        row = values.argmax(axis=0)
        value = values[row, np.arange(columns)]
        higher = value > highest
        best[higher], highest[higher] = row[higher] + start, value[higher]
    return best


def bootstrap_corrected(scores: npt.ArrayLike, draws: int = 2000, seed: int = 0) -> float:
    """Best config's mean score, corrected for its having been picked.

    Bootstrap over blocks: pick the best config on the blocks drawn, score it on those not drawn
    (after Tsamardinos, Greasidou and Borboudakis, Machine Learning 107, 2018, with blocks in the
    place of predictions, so that no out-of-fold prediction is needed).

    Args:
        scores: Score by config and block, none missing, (configs, blocks); higher is better.
        draws: Number of bootstrap samples.
        seed: Seed of the samples.

    Raises:
        ValueError: for fewer than 2 blocks or a missing score.
    """
    table = _check_table(scores)
    blocks = table.shape[1]
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(blocks, np.full(blocks, 1 / blocks), size=draws)  # (draws, blocks)
    out = weights == 0
    weights, out = weights[out.any(axis=1)], out[out.any(axis=1)]
    picked = _argmax(lambda rows: table[rows] @ weights.T, len(table), len(weights))
    outside = (table[picked] * out).sum(axis=1) / out.sum(axis=1)
    return float(outside.mean())
