"""Trains one sweep: reads finished cells, tells the strategy, trains the rest."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from search.errors import SweepError
from search.execution.dispatch.cell_source import CellSource, CellTask
from search.ledger.ledger import Ledger
from search.ledger.store import DataDescription
from search.planning.plan import Plan
from search.planning.saved_plan import to_json
from search.process import environment, memory
from search.process.folders import STATE
from search.results.document import summary
from search.results.earlier import guidance, weigh
from search.results.outcome import SweepResult
from search.results.score_matrix import (
    ScoreMatrix,
    objective_and_time,
    other_code,
    planned_cells,
    tell_known,
)
from search.results.sweep_labels import FILE, SweepLabels
from search.sweep import prior_sweeps
from search.sweep.callback import Callback
from search.sweep.ranking import ranked, strategy_of
from search.sweep.results_handler import ResultHandler, sweep_tags
from search.tracking.open import open_ledger

_FEATURES = "features.json"  # of a sweep's run: seconds and reports of the extractions


def train_sweep(
    plan: Plan,
    sweep_id: str | None,
    callback: Callback,
    tags: Mapping[str, str] = MappingProxyType({}),
    take_over: bool = False,
    unique: bool = False,
) -> SweepResult:
    """Train one sweep, neither nested nor leaving an encoder behind.

    Args:
        plan: The sweep.
        sweep_id: MLflow run id of the sweep to go on with; None starts a new one.
        callback: Told of its progress.
        tags: More tags of a new sweep's run.
        take_over: Take the place of a living driver of the sweep.
        unique: Refuse a new sweep whose name another has already.

    Raises:
        SweepTakenError: if another process trains it.
    """
    began, spec = time.monotonic(), plan.spec
    with open_ledger(spec.tracking_uri, spec.experiment, make=True) as ledger:
        table = ScoreMatrix.empty(plan)
        earlier = prior_sweeps.of_sweep(plan, ledger, sweep_id)
        strategy = strategy_of(plan, earlier)
        # The lease first: what is read then is not written by another driver of this sweep.
        sweep_id = _enter(plan, ledger, sweep_id, tags, take_over, unique)
        known = ledger.cells(plan.family, objective_and_time(plan))
        tell_known(plan, known, table, strategy.tell, sweep_id)
        memory.give_back()  # what reading the ledger left, before Ray starts
        _keep_labels(plan, ledger, sweep_id)
        prior_sweeps.keep(ledger, sweep_id, earlier)
        handler = ResultHandler(plan, table, ledger, sweep_id, strategy.tell, callback)
        handler.catch_up()
        callback.on_start(plan, table, planned_cells(plan))
        if other := other_code(table):
            callback.on_message(other)
        for line in guidance(earlier, len(plan.configs), named=bool(spec.prior)):
            callback.on_message(line)
        complete = strategy.done
        status, stopped = "FAILED", "an error ended it"
        try:
            if not complete:
                _make_features(plan, table, ledger, sweep_id)
                complete = train_cells(plan, strategy, handler, sweep_id, callback)
            status = "FINISHED" if complete else "KILLED"
            stopped = strategy.stopped or f"its {spec.budget.max_hours:g} hours are over"
        except KeyboardInterrupt:
            status, stopped = "KILLED", "it was interrupted"
            raise
        except SweepError:
            if handler.alike:
                stopped = "its cells failed alike"
            raise
        finally:
            callback.on_end()
            memory.give_back()  # the end compares all configs, on top of what the cells left
            standings = ranked(plan, table, ledger, sweep_id, strategy=strategy)
            handler.show(standings)
            prior = tuple(weigh(plan.problem, table.scores, earlier))
            ended = summary(plan, table, standings, stopped=stopped, prior=prior)
            ledger.finish_sweep(sweep_id, status, ended)
        seconds = time.monotonic() - began
        return SweepResult(
            sweep_id, plan, table, standings, complete, seconds, stopped=stopped, prior=prior
        )


def _enter(
    plan: Plan,
    ledger: Ledger,
    sweep_id: str | None,
    tags: Mapping[str, str],
    take_over: bool,
    unique: bool,
) -> str:
    """Start or reopen the sweep's run; returns its id."""
    if sweep_id is not None:
        ledger.resume_sweep(sweep_id, take_over=take_over)
        return sweep_id
    every = {**sweep_tags(plan), **environment.tags(), **tags}
    sweep_id = ledger.start_sweep(
        plan.spec.name, to_json(plan), every, take_over=take_over, unique=unique
    )
    ledger.attach(sweep_id, environment.files())
    _name_data(plan, ledger, sweep_id)
    return sweep_id


def _make_features(plan: Plan, table: ScoreMatrix, ledger: Ledger, sweep_id: str) -> None:
    """Extract frozen features here, so that workers need not wait."""
    from trainables.engine.cells import assembly
    from trainables.engine.cells.trainable import Trainable

    heads = Trainable.load(plan.space.trainable).may_train_heads
    if plan.spec.resources.ray_address != "local" or not heads:
        return
    from trainables.engine.datasets.load import load_data

    unfinished = np.flatnonzero(~np.isfinite(table.scores).all(axis=1))
    configs = [plan.configs[config] for config in unfinished]
    made = assembly.make_features(plan.task, load_data(plan.spec.data), configs)
    if made and ledger.file(sweep_id, _FEATURES) is None:
        ledger.attach(sweep_id, {_FEATURES: json.dumps(made, indent=2)})


def _keep_labels(plan: Plan, ledger: Ledger, sweep_id: str) -> None:
    """Keep the true labels with the sweep, for later corrections."""
    from trainables.engine.datasets.load import load_data

    if ledger.file(sweep_id, FILE) is None:
        data = load_data(plan.spec.data)
        truth = SweepLabels(data.labels, data.groups, data.label_names)
        ledger.attach(sweep_id, {FILE: truth.to_bytes()})


def _name_data(plan: Plan, ledger: Ledger, sweep_id: str) -> None:
    """Log the data as an MLflow data set."""
    from trainables.engine.datasets.load import load_data

    data = load_data(plan.spec.data)
    counts = np.bincount(data.labels, minlength=len(data.label_names)).tolist()
    description = DataDescription(
        name=Path(plan.spec.data.name).name,
        fingerprint=data.fingerprint,
        source=plan.spec.data.name,
        columns=["text"] if data.texts_b is None else ["text", "text_b"],
        profile={
            "rows": len(data),
            "classes": dict(zip(data.label_names, counts, strict=True)),
            **{k: v for k, v in vars(plan.spec.data).items() if v not in (None, False, ())},
        },
    )
    ledger.name_data(sweep_id, description)


def train_cells(
    plan: Plan, source: CellSource, handler: ResultHandler, sweep_id: str, callback: Callback
) -> bool:
    """Train the cells a source asks for; False if time ran out."""
    # Ray takes seconds to import: a sweep that finds all its cells in the ledger does without.
    from search.execution import tuner
    from trainables.engine.models import pretrained

    pretrained.release()  # workers load networks of their own, and may need the memory
    hours = plan.spec.budget.max_hours
    return tuner.train(
        source,
        CellTask(
            plan.task,
            plan.cell,
            plan.shape,
            handler.results,
            handler.claim,
            handler.found,
            handler.halted,
        ),
        plan.spec.resources,
        storage=STATE / "tune" / sweep_id,
        checkpoints=STATE / "checkpoints" / sweep_id,
        max_seconds=None if hours is None else hours * 3600,
        plugin=plan.spec.plugin,
        on_start=callback.on_workers,
    )
