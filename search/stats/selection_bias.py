"""Correction of the winner's score for selection bias.

BBC-CV over the complete configs' predictions where they can be pooled, else the quick form over
blocks; the figure comes with the form's name, and with the reason where it is the quick one.

Resampling rows cannot see the luck of training, nor resampling the complete configs that by which
these came to be complete. The race's surrogate can: it shrinks the winner's mean towards all
configs. Where some were stopped early its mean on fresh rows counts, which has the luck of the rows
taken off as well; in a finished grid BBC-CV takes that off better, and its mean on these rows does.
The less flattering of the two holds. 100 simulated sweeps of 60 configs each (bench_intervals.py):
bias of the raw mean and of the figure in points against fresh rows and seeds (standard errors 0.1
to 0.3), and how often the 95% interval of the figure holds the truth:

    sweep, 1,000 rows but where more are named       raw mean  the figure  interval
    grid, 4 seeds x 5 folds                             +1.26       -0.09      1.00
    race, 20% of its cells                              +0.99       -0.11      0.99
    grid, training lifts a cell by 1 point              +1.38       +0.05      1.00
    grid, by 3 points                                   +1.94       +0.42      1.00
    grid, 1 seed                                        +1.84       -0.30      1.00
    grid, 1 seed, 4,000 rows, by 1 point                +1.19       +0.06      0.99
    4 seeds, a fifth held out: the quick form           +2.52       +0.22      0.97
    4 seeds, official test part of a fifth              +3.29       +0.08      0.98
    4 seeds, official test part of 0.44                 +2.08       -0.05      1.00
    the same, training lifts a seed by 1 point          +2.28       +0.23      1.00

Nested cross-validation (search/sweep/nested_cv.py) is the check that needs no model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from search.arrays import FloatArray, IntArray
from search.errors import FoldraceError, NoPredictionsError
from search.stats import bbc_cv, intervals
from search.stats.out_of_fold import OutOfFold
from search.strategies.board import Problem

MetricMaker = Callable[[tuple[str, ...]], bbc_cv.Metric]
"""From class names by id to a function of labels and probabilities."""

By = Literal["bbc-cv", "block bootstrap"]

_DRAWS = 500
# A metric that is computed draw by draw costs some 0.1 ms a config and seed: 4 s at most.
_MOST_METRIC_CALLS = 40_000
_FEWEST_DRAWS = 100


@dataclass(frozen=True)
class Correction:
    """The winner's corrected score.

    Attributes:
        score: The winner's mean less the luck of the pick: the less flattering of the two below.
        low: Lower end of its 95% interval; None where there are too few cells to say.
        high: Upper end.
        by: Name of the resampling.
        resampled: Score by that resampling of the complete configs.
        surrogate: Score by the surrogate; None where it was not asked.
        note: Reason why it is not BBC-CV; None where it is.
    """

    score: float
    low: float | None
    high: float | None
    by: By
    resampled: float
    surrogate: float | None = None
    note: str | None = None

    def moved(self, by: float) -> Correction:
        """The same on another scale of means, which differs by a constant."""
        return replace(
            self,
            score=self.score + by,
            low=None if self.low is None else self.low + by,
            high=None if self.high is None else self.high + by,
            resampled=self.resampled + by,
        )


def correct(
    problem: Problem,
    scores: FloatArray,
    winner: int | None,
    test_share: float,
    *,
    pool: Callable[[IntArray], OutOfFold] | None = None,
    metric: MetricMaker | None = None,
    means: FloatArray | None = None,
) -> Correction | None:
    """Correct the winner's mean score.

    Args:
        problem: Problem that the strategy solves.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        winner: Index of the strategy's winner.
        test_share: Share of the rows that a block holds out.
        pool: Reader of these configs' predictions; a FoldraceError says why it cannot. None takes
            the quick form.
        metric: Maker of the objective's function from class names; None for accuracy.
        means: The surrogate's means, (configs,): on fresh rows where configs were stopped early.

    Returns:
        None where the winner was not picked from several configs with all of its blocks.
    """
    sign = problem.sign
    if winner is None:
        return None
    # On the winner's own blocks: one that lost a cell is compared by the others.
    scores = scores[:, np.isfinite(scores[winner])]
    complete = np.flatnonzero(np.isfinite(scores).all(axis=1))
    if len(complete) < 2 or scores.shape[1] < 2:
        return None
    mean, note = float(scores[winner].mean()), None
    by: By = "block bootstrap"
    reach: tuple[float, float] | None = None
    if pool is not None:
        try:
            place = int(np.searchsorted(complete, winner))
            luck, reach = _by_rows(pool(complete), place, metric, sign)
            by = "bbc-cv"
        except FoldraceError as error:
            note = str(error)
    if by == "block bootstrap":
        luck, reach = _by_blocks(scores, winner, complete, sign, test_share)
    resampled = mean - luck
    surrogate = None if means is None else float(means[winner])
    score = resampled if surrogate is None else sign * min(sign * resampled, sign * surrogate)
    low, high = (None, None) if reach is None else (score + reach[0], score + reach[1])
    return Correction(score, low, high, by, resampled, surrogate, note)


def _by_rows(
    pooled: OutOfFold, winner: int, metric: MetricMaker | None, sign: float
) -> tuple[float, tuple[float, float]]:
    """Luck of the winner, and reach of its interval below and above.

    Luck is a difference of pooled scores: F1 pooled over a seed's folds is not the mean of the
    folds' F1, but the pick adds the same to either.
    """
    configs, seeds, rows, _ = pooled.probabilities.shape
    if metric is None:
        scorer, draws = bbc_cv.accuracy_scorer(pooled.labels, pooled.probabilities), _DRAWS
    else:
        objective = metric(pooled.label_names)
        scorer = bbc_cv.metric_scorer(pooled.labels, pooled.probabilities, objective)
        draws = min(_DRAWS, _MOST_METRIC_CALLS // (configs * seeds))
        if draws < _FEWEST_DRAWS:
            raise NoPredictionsError(
                f"the objective of {configs:,} configs would take too long to draw"
            )
    corrected = bbc_cv.bbc_cv(scorer, configs, pooled.groups, sign=sign, draws=draws)
    score = float(scorer(np.ones(rows, np.int64), np.array([winner]))[0])
    # A strategy that names another than the best mean has taken some luck off itself.
    luck = sign * max(sign * (score - corrected.mean), 0.0)
    right = pooled.probabilities[winner].argmax(axis=2) == pooled.labels
    wider = bbc_cv.pair_factor(right, int(pooled.folds.max()) + 1) ** 0.5
    low, high = corrected.low - corrected.mean, corrected.high - corrected.mean
    return luck, (wider * low, wider * high)


def _by_blocks(
    scores: FloatArray, winner: int, complete: IntArray, sign: float, test_share: float
) -> tuple[float, tuple[float, float] | None]:
    """Luck and reach by the quick form; reach needs three blocks."""
    mean = float(scores[winner].mean())
    luck = sign * max(sign * mean - intervals.bootstrap_corrected(sign * scores[complete]), 0.0)
    if scores.shape[1] < intervals.FEWEST_FOR_INTERVAL:
        return luck, None
    interval = intervals.corrected_interval(scores[winner], test_share)
    return luck, (interval.low - mean, interval.high - mean)
