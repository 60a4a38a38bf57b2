"""The document of `--json`, kept with the sweep and drawn on screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from search.results.answer import answer
from search.results.score_matrix import planned_cells
from search.stats.pareto import front
from trainables.engine.training.scoring import low_is_good

if TYPE_CHECKING:
    from search.arrays import FloatArray
    from search.planning.plan import Plan
    from search.results.earlier import Weighed
    from search.results.outcome import SweepResult
    from search.results.score_matrix import ScoreMatrix
    from search.results.standings import Standing, Standings
    from search.stats import intervals


def of_outcome(outcome: SweepResult, criterion: str | None = None) -> dict[str, Any]:
    """Document of a sweep's result.

    Args:
        outcome: The result, with the further metrics that its table has.
        criterion: One of these; its rows then have `front`, True where no other complete config is
            as good in both the objective and this.
    """
    document = summary(
        outcome.plan,
        outcome.table,
        outcome.standings,
        outcome.nested,
        outcome.stopped,
        prior=outcome.prior,
    )
    for row, standing in zip(document["configs"], outcome.standings.rows, strict=True):
        row["metrics"] = {
            name: _mean(values[standing.config]) for name, values in outcome.table.others.items()
        }
    if criterion is not None:
        _mark_front(document, criterion)
    return document


def _mean(values: FloatArray) -> float | None:
    """Mean of what is there."""
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else None


def _mark_front(document: dict[str, Any], criterion: str) -> None:
    rows = document["configs"]
    whole = [row["status"] in ("winner", "complete") for row in rows]
    scores = np.array([row["mean"] if of else np.nan for row, of in zip(rows, whole, strict=True)])
    costs = np.array([row["metrics"][criterion] for row in rows], float)
    sign = 1.0 if document["mode"] == "max" else -1.0
    worth = 1.0 if low_is_good(criterion) else -1.0
    on_it = front(sign * scores, worth * costs).tolist()
    document["criterion"] = criterion
    for row, mine in zip(rows, on_it, strict=True):
        row["front"] = mine


def summary(
    plan: Plan,
    table: ScoreMatrix,
    standings: Standings,
    nested: Mapping[str, Any] | None = None,
    stopped: str | None = None,
    *,
    prior: Sequence[Weighed] = (),
) -> dict[str, Any]:
    """A sweep's figures as JSON: scores are fractions.

    Args:
        plan: The sweep.
        table: Its scores.
        standings: Its configs, judged.
        nested: The nested score, as `search.results.nested_score.Nested.to_json` gives it.
        stopped: Why it ended; None while it goes on.
        prior: Earlier sweeps that guided it.
    """
    document: dict[str, Any] = {
        "sweep": plan.spec.name,
        "space": plan.spec.space,
        "data": plan.spec.data.name,
        "model": plan.spec.model,
        "blocks": len(plan.blocks),
        "cells_done": int(np.isfinite(table.scores).sum()),
        "cells_planned": planned_cells(plan),
        "cells_reused": table.foreign,
        "cells_failed": len(table.failures),
        "stopped": stopped,
        "never_tried": len(plan.configs) - standings.competed - _only_failed(table),
        "inert_suspects": [
            suspect.to_json(plan.blocks, plan.declared_in, plan.space.alike)
            for suspect in (table.watch.suspects if table.watch is not None else ())
        ],
        **of_standings(plan, standings),
        "nested": None if nested is None else dict(nested),
        "prior": [one.to_json() for one in prior],
    }
    return {"answer": answer(document), **document}


def of_standings(plan: Plan, standings: Standings) -> dict[str, Any]:
    """The `configs` and the `winner` of the document."""
    winner = next((row for row in standings.rows if row.config == standings.winner), None)
    return {
        "objective": plan.space.objective,
        "mode": plan.space.mode,
        "baseline": None if plan.baseline is None else plan.names[plan.baseline],
        "rope": standings.rope,
        "off_grid": dict(plan.off_grid),
        "shared": dict(plan.labels.shared),
        "shared_label": plan.labels.title,
        "p_best_by": None if standings.chances is None else standings.chances.by,
        "configs": [_row(row, plan, rank) for rank, row in enumerate(standings.rows, start=1)],
        "winner": None if winner is None else _winner(winner, plan, standings),
    }


def _only_failed(table: ScoreMatrix) -> int:
    """Configs that were tried and have no score to show for it."""
    return sum(not np.isfinite(table.scores[config]).any() for config in table.failed)


def _winner(winner: Standing, plan: Plan, standings: Standings) -> dict[str, Any]:
    correction, luck = standings.correction, standings.luck
    p_best = None if standings.chances is None else standings.chances.p_best
    complete = [row.config for row in standings.rows if row.status in ("winner", "complete")]
    return {
        "config": plan.axes_of(winner.config),
        "name": plan.names.get(winner.config),
        "label": plan.label(winner.config),
        "mean": winner.mean,
        "corrected": correction.score if correction else None,
        "corrected_low": correction.low if correction else None,
        "corrected_high": correction.high if correction else None,
        "corrected_by": correction.by if correction else None,
        "corrected_resampled": correction.resampled if correction else None,
        "corrected_surrogate": correction.surrogate if correction else None,
        "corrected_note": correction.note if correction else None,
        "gain": winner.delta,
        "gain_corrected": _less(winner.delta, luck),
        "gain_corrected_low": _less(winner.delta_low, luck),
        "gain_corrected_high": _less(winner.delta_high, luck),
        "compared": standings.compared,
        "competed": standings.competed,
        "indistinguishable": [plan.axes_of(config) for config in standings.indistinguishable],
        "indistinguishable_labels": [plan.label(config) for config in standings.indistinguishable],
        "p_best_stopped": None if p_best is None else max(0.0, 1.0 - float(p_best[complete].sum())),
        "versus_baseline": _comparison(winner.versus_baseline),
    }


def _less(value: float | None, luck: float) -> float | None:
    return None if value is None else value - luck


def _comparison(comparison: intervals.Comparison | None) -> dict[str, float] | None:
    return None if comparison is None else asdict(comparison)


def _row(row: Standing, plan: Plan, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "config": plan.axes_of(row.config),
        "name": plan.names.get(row.config),
        "label": plan.label(row.config),
        "mean": row.mean,
        "cells_mean": row.cells_mean,
        "std": row.std,
        "ci_low": row.ci_low,
        "ci_high": row.ci_high,
        "cells": row.cells,
        "p_best": row.p_best,
        "delta_baseline": row.delta,
        "delta_ci_low": row.delta_low,
        "delta_ci_high": row.delta_high,
        "versus_winner": _comparison(row.versus_winner),
        "versus_baseline": _comparison(row.versus_baseline),
        "status": row.status,
    }
