"""Sweeps loaded from the ledger, without data or model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from search.errors import InputError, NoLedgerError
from search.ledger.ledger import Ledger
from search.ledger.records import LoggedCell, SweepRecord
from search.planning.chosen_space import with_objective
from search.planning.plan import Plan
from search.planning.saved_plan import of_record
from search.results import nested_score
from search.results.earlier import FILE as EARLIER
from search.results.earlier import of_text, weigh
from search.results.outcome import SweepResult
from search.results.score_matrix import ScoreMatrix, objective_and_time, tell_known
from search.results.standings import ROPE
from search.sweep.ranking import ranked, strategy_of
from search.tracking.open import open_ledger
from search.tracking_uri import EXPERIMENT, default_tracking_uri
from trainables.engine.registry import hint


def known_cells(plan: Plan) -> dict[str, LoggedCell]:
    """The ledger's cells with a plan's data, model and split, by key.

    Raises:
        InputError: if the ledger cannot be reached.
    """
    try:
        with open_ledger(plan.spec.tracking_uri, plan.spec.experiment) as ledger:
            return ledger.known_cells(plan.family)
    except NoLedgerError:
        return {}


def known_pairs(plan: Plan) -> set[tuple[int, int]]:
    """(config, block) pairs of a plan whose cells the ledger has.

    Raises:
        InputError: if the ledger cannot be reached.
    """
    known = known_cells(plan)
    return {plan.keys[key] for key, cell in known.items() if key in plan.keys and cell.settled}


def load(
    sweep: str, *, tracking_uri: str | None = None, experiment: str = EXPERIMENT
) -> SweepResult:
    """Load a sweep's result, without reading its data or model.

    Args:
        sweep: Name, MLflow run id, or `latest`.
        tracking_uri: URI of the ledger; None takes MLFLOW_TRACKING_URI, else the local file.
        experiment: Name of the experiment.

    Raises:
        InputError: if there is no such sweep, or the ledger cannot be reached.
    """
    return load_record(tracking_uri or default_tracking_uri(), experiment, sweep)[1]


def load_record(
    tracking_uri: str,
    experiment: str,
    sweep: str,
    rope: float = ROPE,
    *,
    objective: str | None = None,
    metrics: Sequence[str] = (),
) -> tuple[SweepRecord, SweepResult]:
    """Load a sweep's record and its result.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweep: Name, MLflow run id, or `latest`.
        rope: Differences up to this size, either way, count as practically equal.
        objective: Metric to rank by; None takes the sweep's own.
        metrics: Names of further metrics, for `table.others`.

    Raises:
        InputError: if there is no such sweep, its cells lack a metric, or the ledger cannot be
            reached.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        record = find(ledger, sweep)
        return record, read(ledger, record, rope, objective=objective, metrics=metrics)


def read(
    ledger: Ledger,
    record: SweepRecord,
    rope: float = ROPE,
    keep: dict[str, LoggedCell] | None = None,
    *,
    objective: str | None = None,
    metrics: Sequence[str] = (),
) -> SweepResult:
    """Result of a sweep record.

    Args:
        ledger: Ledger that has it.
        record: The sweep.
        rope: Differences up to this size, either way, count as practically equal.
        keep: Gets its family's cells by key, with all that they have.
        objective: Metric to rank by; None takes the sweep's own.
        metrics: Names of further metrics, for `table.others`.

    Raises:
        InputError: if its cells lack a metric.
    """
    plan = plan_ranked_by(record, objective)
    table = ScoreMatrix.empty(plan, metrics)
    kept = ledger.file(record.id, EARLIER) if plan.spec.guided else None
    earlier = (None if kept is None else of_text(kept, len(plan.configs))) or []
    strategy = strategy_of(plan, earlier)
    if keep is None:
        known = ledger.cells(plan.family, (*objective_and_time(plan), *metrics))
    else:
        keep.update(ledger.known_cells(plan.family))
        known = iter(keep.values())
    tell_known(plan, known, table, strategy.tell, record.id)
    _must_have(ledger, plan, table, objective)
    nested = nested_score.read(ledger, record.id)
    standings = ranked(plan, table, ledger, record.id, strategy=strategy, rope=rope)
    stopped = strategy.stopped
    if stopped is None and record.status != "RUNNING":
        stopped = record.tags.get("stopped")
    done = strategy.done
    prior = weigh(plan.problem, table.scores, earlier)
    return SweepResult(record.id, plan, table, standings, done, 0.0, nested, stopped, tuple(prior))


def plan_ranked_by(record: SweepRecord, objective: str | None) -> Plan:
    """Plan of a sweep whose configs are ranked by another metric."""
    plan = of_record(record)
    if objective is None:
        return plan
    spec = plan.spec.model_copy(update={"objective": objective})
    return replace(plan, spec=spec, space=with_objective(spec, plan.space))


def _must_have(ledger: Ledger, plan: Plan, table: ScoreMatrix, objective: str | None) -> None:
    """Refuse metrics that no cell of a sweep has."""
    wanted = dict(table.others)
    if objective is not None:
        wanted[plan.space.objective] = table.scores
    missing = [name for name, values in wanted.items() if not np.isfinite(values).any()]
    if not missing or not table.reused:
        return
    known = ledger.known_cells(plan.family)
    there = sorted({name for key in plan.keys if key in known for name in known[key].metrics})
    raise InputError(
        f"No cell of sweep {plan.spec.name!r} has a metric {missing[0]!r}."
        f"{hint(missing[0], there)} They have: {', '.join(there)}."
    )


def find(ledger: Ledger, sweep: str) -> SweepRecord:
    """Find a sweep by name, MLflow run id or `latest`.

    `latest` passes over the inner sweeps of a nested one.

    Raises:
        InputError: if there is none; names the nearest.
    """
    record = ledger.find_sweep(sweep)
    if sweep == "latest" and record.is_inner:
        own = (r for r in ledger.sweeps() if not r.is_inner)
        record = next(own, record)
    return record
