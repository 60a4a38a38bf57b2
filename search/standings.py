"""The configs of a sweep, best first, each figure beside a mean saying what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from search import stats
from search.chances import Chances, chances
from search.correction import Correction, correct

if TYPE_CHECKING:
    from search.plan import Plan
    from search.pooled import Pooled

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Half a point, either way, is practically nothing: what papers of this field quarrel about.
ROPE = 0.005


@dataclass(frozen=True)
class Standing:
    """One config's place. Scores are fractions; None where there are too few cells to say.

    Attributes:
        config: Index in the plan.
        mean: Over the config's own cells.
        std: Standard deviation over its cells.
        ci_low: Lower end of the corrected 95% interval of the mean.
        ci_high: Upper end.
        cells: Cells with a score.
        p_best: Probability of being the best of all configs, see search/chances.py.
        delta: Paired difference to the baseline, over the cells both have.
        delta_low: Lower end of its corrected 95% interval.
        delta_high: Upper end.
        versus_winner: Probabilities of being better than the winner by more than the rope, equal
            within it, worse; over the cells both have. None for the winner.
        versus_baseline: The same beside the baseline. None for the baseline.
        status: winner, complete, partial (stopped early or not through), failed (cells are missing
            because they failed).
    """

    config: int
    mean: float
    std: float | None
    ci_low: float | None
    ci_high: float | None
    cells: int
    p_best: float | None
    delta: float | None
    delta_low: float | None
    delta_high: float | None
    versus_winner: stats.Comparison | None
    versus_baseline: stats.Comparison | None
    status: str


@dataclass(frozen=True)
class Standings:
    """All configs with at least one cell, best first, and what is known of the winner.

    Attributes:
        rows: Complete configs by mean, then the others by mean.
        winner: Index of the config that the strategy names; None before one is complete.
        correction: The winner's mean once the luck of being picked is taken off; None where it was
            not picked from several complete configs.
        compared: How many complete configs the winner was picked from.
        competed: How many configs have a cell at all.
        indistinguishable: Complete configs whose difference to the winner the corrected paired test
            does not tell from 0 at 5%, the winner left out.
        chances: Who may be the best; None before a config is complete.
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

    def to_json(self, plan: Plan) -> dict[str, Any]:
        """The `configs` and `winner` of the leaderboard document."""
        winner = next((row for row in self.rows if row.config == self.winner), None)
        return {
            "objective": plan.space.objective,
            "baseline": None if plan.baseline is None else plan.names[plan.baseline],
            "rope": self.rope,
            "p_best_by": None if self.chances is None else self.chances.by,
            "configs": [_row_json(row, plan, rank) for rank, row in enumerate(self.rows, start=1)],
            "winner": None if winner is None else self._winner_json(winner, plan),
        }

    def _winner_json(self, winner: Standing, plan: Plan) -> dict[str, Any]:
        correction = self.correction
        p_best = None if self.chances is None else self.chances.p_best
        complete = [row.config for row in self.rows if row.status in ("winner", "complete")]
        return {
            "config": plan.axes_of(winner.config),
            "name": plan.names.get(winner.config),
            "mean": winner.mean,
            "corrected": correction.score if correction else None,
            "corrected_low": correction.low if correction else None,
            "corrected_high": correction.high if correction else None,
            "corrected_by": correction.by if correction else None,
            "corrected_resampled": correction.resampled if correction else None,
            "corrected_surrogate": correction.surrogate if correction else None,
            "corrected_note": correction.note if correction else None,
            "compared": self.compared,
            "competed": self.competed,
            "indistinguishable": [plan.axes_of(config) for config in self.indistinguishable],
            "p_best_incomplete": None
            if p_best is None
            else max(0.0, 1.0 - float(p_best[complete].sum())),
            "versus_baseline": _comparison_json(winner.versus_baseline),
        }


def _comparison_json(found: stats.Comparison | None) -> dict[str, float] | None:
    return None if found is None else asdict(found)


def _row_json(row: Standing, plan: Plan, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "config": plan.axes_of(row.config),
        "name": plan.names.get(row.config),
        "mean": row.mean,
        "std": row.std,
        "ci_low": row.ci_low,
        "ci_high": row.ci_high,
        "cells": row.cells,
        "p_best": row.p_best,
        "delta_baseline": row.delta,
        "delta_ci_low": row.delta_low,
        "delta_ci_high": row.delta_high,
        "versus_winner": _comparison_json(row.versus_winner),
        "versus_baseline": _comparison_json(row.versus_baseline),
        "status": row.status,
    }


def held_out_share(plan: Plan) -> float:
    """Share of the rows that one block holds out."""
    if plan.spec.folds is not None:
        return 1 / plan.spec.folds
    if isinstance(plan.spec.holdout, float):
        return plan.spec.holdout
    # The official test part's share stands in the data, which a leaderboard does not read.
    return 0.2


def judge(
    plan: Plan,
    scores: FloatArray,
    winner: int | None,
    failed: frozenset[int] = frozenset(),
    *,
    pool: Callable[[IntArray], Pooled] | None = None,
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
    sign = 1.0 if plan.space.mode == "max" else -1.0
    share = held_out_share(plan)
    counts = np.isfinite(scores).sum(axis=1)
    complete = np.flatnonzero(counts == scores.shape[1])
    found = chances(plan, scores, failed, share)
    means = None if found is None else found.means
    rows = [
        _standing(_Race(plan, scores, winner, share, rope), config, found, config in failed)
        for config in np.flatnonzero(counts).tolist()
    ]
    whole = set(complete.tolist())
    rows.sort(key=lambda row: (row.config != winner, row.config not in whole, -sign * row.mean))
    return Standings(
        rows=tuple(rows),
        winner=winner,
        correction=correct(plan, scores, winner, share, pool=pool, means=means),
        compared=len(complete),
        competed=len(rows),
        indistinguishable=() if winner is None else _tied(scores, winner, complete, share, sign),
        chances=found,
        rope=rope,
    )


def mean_interval(row: FloatArray, share: float) -> stats.Interval | None:
    """Corrected 95% interval of a config's mean; None while it has too few cells.

    Args:
        row: Scores by block, nan where missing, (blocks,).
        share: Share of the rows that a block holds out.
    """
    mine = row[np.isfinite(row)]
    if len(mine) < stats.FEWEST_FOR_INTERVAL:
        return None
    return stats.corrected_interval(mine, share)


@dataclass(frozen=True, eq=False)
class _Race:
    """What every standing is measured against."""

    plan: Plan
    scores: FloatArray
    winner: int | None
    share: float
    rope: float

    def gains(self, config: int, over: int | None) -> FloatArray:
        """Paired differences by block, nan where either lacks the cell, and over itself."""
        if over is None or over == config:
            return np.full(self.scores.shape[1], np.nan)
        return np.asarray(self.scores[config] - self.scores[over])

    def versus(self, config: int, other: int | None) -> stats.Comparison | None:
        """Better, practically equal or worse, in the direction in which a score is good."""
        gains = self.gains(config, other)
        shared = gains[np.isfinite(gains)]
        if len(shared) < stats.FEWEST_FOR_INTERVAL:
            return None
        sign = 1.0 if self.plan.space.mode == "max" else -1.0
        return stats.correlated_t_test(sign * shared, self.share, self.rope)


def _standing(race: _Race, config: int, found: Chances | None, failed: bool) -> Standing:
    row, baseline = race.scores[config], race.plan.baseline
    mine = row[np.isfinite(row)]
    own = mean_interval(row, race.share)
    gains = race.gains(config, baseline)
    shared = gains[np.isfinite(gains)]
    delta = mean_interval(gains, race.share)
    full = len(mine) == len(row)
    status = "complete" if full else "failed" if failed else "partial"
    return Standing(
        config=config,
        mean=float(mine.mean()),
        std=float(mine.std(ddof=1)) if len(mine) > 1 else None,
        ci_low=own.low if own else None,
        ci_high=own.high if own else None,
        cells=len(mine),
        p_best=None if found is None else float(found.p_best[config]),
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
    if scores.shape[1] < 2:
        return tuple(rivals)
    return tuple(
        config
        for config in rivals
        if stats.corrected_interval(scores[winner] - scores[config], share).p_value > 0.05
    )
