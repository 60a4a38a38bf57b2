"""The configs of a sweep, best first, each figure beside a mean saying what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from search import stats

if TYPE_CHECKING:
    from search.plan import Plan

FloatArray = npt.NDArray[np.float64]

# Two cells leave one degree of freedom: an interval wider than the scale itself.
_FEWEST_FOR_INTERVAL = 3


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
        p_best: Probability of being the best of the complete configs.
        delta: Paired difference to the baseline, over the cells both have.
        delta_low: Lower end of its corrected 95% interval.
        delta_high: Upper end.
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
    status: str


@dataclass(frozen=True)
class Standings:
    """All configs with at least one cell, best first, and what is known of the winner.

    Attributes:
        rows: Complete configs by mean, then the others by mean.
        winner: Index of the config that the strategy names; None before one is complete.
        corrected: The winner's mean once the luck of being picked is taken off.
        compared: How many complete configs the winner was picked from.
        indistinguishable: Configs whose difference to the winner the corrected paired test does not
            tell from 0 at 5%, the winner left out.
    """

    rows: tuple[Standing, ...]
    winner: int | None
    corrected: float | None
    compared: int
    indistinguishable: tuple[int, ...]

    def to_json(self, plan: Plan) -> dict[str, Any]:
        """The `configs` and `winner` of the leaderboard document."""
        winner = next((row for row in self.rows if row.config == self.winner), None)
        return {
            "objective": plan.space.objective,
            "baseline": None if plan.baseline is None else plan.names[plan.baseline],
            "configs": [
                {
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
                    "status": row.status,
                }
                for rank, row in enumerate(self.rows, start=1)
            ],
            "winner": None
            if winner is None
            else {
                "config": plan.axes_of(winner.config),
                "mean": winner.mean,
                "corrected": self.corrected,
                "compared": self.compared,
                "indistinguishable": [plan.axes_of(config) for config in self.indistinguishable],
            },
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
) -> Standings:
    """Rank the configs of a table.

    Args:
        plan: The sweep.
        scores: Objective by config and block, nan where missing, (configs, blocks).
        winner: The config that the strategy names.
        failed: Configs of which a cell failed.
    """
    sign = 1.0 if plan.space.mode == "max" else -1.0
    share = held_out_share(plan)
    present = np.isfinite(scores)
    counts = present.sum(axis=1)
    complete = np.flatnonzero(counts == scores.shape[1])
    p_best: dict[int, float] = {}
    corrected = None
    if len(complete) and scores.shape[1] > 1:
        best = stats.probability_best(sign * scores[complete], share)
        p_best = dict(zip(complete.tolist(), best.tolist(), strict=True))
        if len(complete) > 1:
            corrected = sign * stats.bootstrap_corrected(sign * scores[complete])
    rows = [
        _standing(plan, scores, config, winner, share, p_best.get(config), config in failed)
        for config in np.flatnonzero(counts).tolist()
    ]
    rows.sort(key=lambda row: (row.config != winner, row.p_best is None, -sign * row.mean))
    tied = () if winner is None else _tied(scores, winner, complete, share)
    return Standings(tuple(rows), winner, corrected, len(complete), tied)


def mean_interval(row: FloatArray, share: float) -> stats.Interval | None:
    """Corrected 95% interval of a config's mean; None while it has too few cells.

    Args:
        row: Scores by block, nan where missing, (blocks,).
        share: Share of the rows that a block holds out.
    """
    mine = row[np.isfinite(row)]
    if len(mine) < _FEWEST_FOR_INTERVAL:
        return None
    return stats.corrected_interval(mine, share)


def _standing(
    plan: Plan,
    scores: FloatArray,
    config: int,
    winner: int | None,
    share: float,
    p_best: float | None,
    failed: bool,
) -> Standing:
    row = scores[config]
    mine = np.isfinite(row)
    count = int(mine.sum())
    own = mean_interval(row, share)
    gains = np.full_like(row, np.nan)
    if plan.baseline is not None and plan.baseline != config:
        gains = row - scores[plan.baseline]  # nan where either lacks the cell
    shared = gains[np.isfinite(gains)]
    delta = mean_interval(gains, share)
    full = count == len(row)
    status = "complete" if full else "failed" if failed else "partial"
    return Standing(
        config=config,
        mean=float(row[mine].mean()),
        std=float(row[mine].std(ddof=1)) if count > 1 else None,
        ci_low=own.low if own else None,
        ci_high=own.high if own else None,
        cells=count,
        p_best=p_best,
        delta=float(shared.mean()) if len(shared) else None,
        delta_low=delta.low if delta else None,
        delta_high=delta.high if delta else None,
        status="winner" if config == winner else status,
    )


def _tied(
    scores: FloatArray, winner: int, complete: npt.NDArray[np.int64], share: float
) -> tuple[int, ...]:
    if scores.shape[1] < 2:
        return tuple(config for config in complete.tolist() if config != winner)
    return tuple(
        config
        for config in complete.tolist()
        if config != winner
        and stats.corrected_interval(scores[winner] - scores[config], share).p_value > 0.05
    )
