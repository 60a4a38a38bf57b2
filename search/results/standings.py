"""Configs of a sweep ranked, each with its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from search.arrays import FloatArray, IntArray
from search.stats import intervals
from search.stats.p_best import Chances, chances
from search.stats.selection_bias import Correction, MetricMaker, correct
from search.strategies.board import Board
from trainables.engine.training.scoring import metric_of, of_predictions

if TYPE_CHECKING:
    from search.planning.plan import Plan
    from search.stats.out_of_fold import OutOfFold


# Half a point, either way, is practically nothing: what papers of this field quarrel about.
ROPE = 0.005
# Of the fit of block effects; each halves what is left of the error at the least.
_FITTING_STEPS = 40


@dataclass(frozen=True)
class Standing:
    """Rank and figures of one config.

    Scores are fractions; None where there are too few cells.

    Attributes:
        config: Index in the plan.
        mean: Over all blocks; where cells are missing, adjusted for the blocks that these are of.
        cells_mean: Over the config's own cells alone, easy blocks or hard ones.
        std: Standard deviation over its cells.
        ci_low: Lower end of the corrected 95% interval of the mean.
        ci_high: Upper end.
        cells: Cells with a score.
        p_best: Probability of being the best of all configs, see search/stats/p_best.py; None
            while the leaders share too few blocks.
        delta: Paired difference to the baseline, over the cells both have.
        delta_low: Lower end of its corrected 95% interval.
        delta_high: Upper end.
        versus_winner: Probabilities of being better than the winner by more than the rope, equal
            within it, worse; over the cells both have. None for the winner.
        versus_baseline: The same beside the baseline, the winner's corrected for the pick. None
            for the baseline.
        status: winner, complete, partial (stopped early or not through), failed (cells are missing
            because they failed).
    """

    config: int
    mean: float
    cells_mean: float
    std: float | None
    ci_low: float | None
    ci_high: float | None
    cells: int
    p_best: float | None
    delta: float | None
    delta_low: float | None
    delta_high: float | None
    versus_winner: intervals.Comparison | None
    versus_baseline: intervals.Comparison | None
    status: str


@dataclass(frozen=True)
class Standings:
    """Ranked configs with at least one cell, and the winner's figures.

    Attributes:
        rows: Complete configs by mean, then the others by mean.
        winner: Index of the config that the strategy names; None before one is complete.
        correction: The winner's mean once the luck of being picked is taken off; None where it was
            not picked from several complete configs.
        compared: Number of complete configs that the winner was picked from.
        competed: Number of configs with a cell.
        indistinguishable: Complete configs whose difference to the winner the corrected paired test
            does not tell from 0 at 5%, the winner left out.
        chances: Probability of each config to be the best; None before one is complete.
        rope: Differences up to this size, either way, count as practically equal.
    """

    rows: tuple[Standing, ...]
    winner: int | None
    correction: Correction | None
    compared: int
    competed: int
    indistinguishable: tuple[int, ...]
    chances: Chances | None
    rope: float

    @property
    def luck(self) -> float:
        """Selection bias of the winner's mean, in the score's own units."""
        if self.correction is None:
            return 0.0
        (mean,) = (row.mean for row in self.rows if row.config == self.winner)
        return mean - self.correction.score


def rank(
    plan: Plan,
    scores: FloatArray,
    winner: int | None,
    failed: frozenset[int] = frozenset(),
    *,
    pool: Callable[[IntArray], OutOfFold] | None = None,
    rope: float = ROPE,
) -> Standings:
    """Rank the configs of a table.

    Args:
        plan: The sweep.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        winner: The config that the strategy names.
        failed: Configs of which a cell failed.
        pool: Reads the predictions of configs, for the winner's correction; None does without.
        rope: Differences up to this size, either way, count as practically equal.
    """
    sign, share = plan.problem.sign, plan.test_share
    counts = np.isfinite(scores).sum(axis=1)
    complete = np.flatnonzero(counts == scores.shape[1])
    best = chances(plan.problem, scores, failed, share)
    means = None
    if best is not None:
        means = best.on_fresh_rows if best.stopped else best.means
    if not of_predictions(plan.space.objective):
        pool = None  # there is nothing to draw rows of
    correction = correct(
        plan.problem, scores, winner, share, pool=pool, metric=_metric_of(plan), means=means
    )
    adjusted = adjusted_means(plan, scores)
    luck = 0.0
    if correction is not None and winner is not None:
        own = float(np.nanmean(scores[winner]))
        luck = own - correction.score
        # A winner that lost a cell is shown with its mean adjusted for that block.
        correction = correction.moved(float(adjusted[winner]) - own)
    race = _Basis(plan, scores, adjusted, winner, share, rope, luck)
    rows = [
        _standing(race, config, best, config in failed)
        for config in np.flatnonzero(counts).tolist()
    ]
    whole = set(complete.tolist())
    rows.sort(key=lambda row: (row.config != winner, row.config not in whole, -sign * row.mean))
    return Standings(
        rows=tuple(rows),
        winner=winner,
        correction=correction,
        compared=len(complete) + int(winner is not None and winner not in whole),
        competed=len(rows),
        indistinguishable=() if winner is None else _tied(scores, winner, complete, share, sign),
        chances=best,
        rope=rope,
    )


def _metric_of(plan: Plan) -> MetricMaker | None:
    if plan.space.objective == "accuracy":
        return None
    return partial(metric_of, plan.space.objective)


def adjusted_means(plan: Plan, scores: FloatArray) -> FloatArray:
    """Mean of each config adjusted for the blocks it lacks, (configs,).

    It is nan for a config without any cell.

    A config that was stopped after one easy block would else stand above the winner.

    Args:
        plan: The sweep.
        scores: Objective by config and block, nan where missing, (configs, blocks).
    """
    return Board.of(plan.problem, scores).adjusted_means(_FITTING_STEPS)


def mean_interval(row: FloatArray, share: float) -> intervals.Interval | None:
    """Corrected 95% interval of a mean; None with too few cells.

    Args:
        row: Scores by block, nan where missing, (blocks,).
        share: Share of the rows that a block holds out.
    """
    mine = row[np.isfinite(row)]
    if len(mine) < intervals.FEWEST_FOR_INTERVAL:
        return None
    return intervals.corrected_interval(mine, share)


@dataclass(frozen=True, eq=False)
class _Basis:
    """Scores and settings that every standing is computed from."""

    plan: Plan
    scores: FloatArray
    means: FloatArray
    winner: int | None
    share: float
    rope: float
    luck: float

    def gains(self, config: int, over: int | None) -> FloatArray:
        """Paired differences by block; nan where a cell is missing."""
        if over is None or over == config:
            return np.full(self.scores.shape[1], np.nan)
        return np.asarray(self.scores[config] - self.scores[over])

    def versus(self, config: int, other: int | None) -> intervals.Comparison | None:
        """Probabilities of better, practically equal and worse.

        A winner's gain is taken without what the pick added to it.
        """
        gains = self.gains(config, other) - (self.luck if config == self.winner else 0.0)
        shared = gains[np.isfinite(gains)]
        if len(shared) < intervals.FEWEST_FOR_INTERVAL:
            return None
        return intervals.correlated_t_test(self.plan.problem.sign * shared, self.share, self.rope)


def _standing(race: _Basis, config: int, best: Chances | None, failed: bool) -> Standing:
    row, baseline = race.scores[config], race.plan.baseline
    mine = row[np.isfinite(row)]
    own = mean_interval(row, race.share)
    gains = race.gains(config, baseline)
    shared = gains[np.isfinite(gains)]
    delta = mean_interval(gains, race.share)
    full = len(mine) == len(row)
    mean = float(race.means[config])
    moved = mean - float(mine.mean())
    status = "complete" if full else "failed" if failed else "partial"
    return Standing(
        config=config,
        mean=mean,
        cells_mean=float(mine.mean()),
        std=float(mine.std(ddof=1)) if len(mine) > 1 else None,
        ci_low=own.low + moved if own else None,
        ci_high=own.high + moved if own else None,
        cells=len(mine),
        p_best=None if best is None or best.p_best is None else float(best.p_best[config]),
        delta=float(shared.mean()) if len(shared) else None,
        delta_low=delta.low if delta else None,
        delta_high=delta.high if delta else None,
        versus_winner=race.versus(config, race.winner),
        versus_baseline=race.versus(config, baseline),
        status="winner" if config == race.winner else status,
    )


def _tied(
    scores: FloatArray, winner: int, complete: IntArray, share: float, sign: float
) -> tuple[int, ...]:
    """Best first."""
    rivals = complete[np.argsort(-sign * scores[complete].mean(axis=1), kind="stable")].tolist()
    if winner in rivals:
        rivals.remove(winner)
    shared = np.isfinite(scores[winner])  # it may lack a cell that failed
    if shared.sum() < 2:
        return tuple(rivals)
    gaps = scores[winner, shared] - scores[:, shared]
    return tuple(
        config
        for config in rivals
        if intervals.corrected_interval(gaps[config], share).p_value > 0.05
    )
