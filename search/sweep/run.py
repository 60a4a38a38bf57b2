"""Run a sweep: the ledger's cells to the strategy, the strategy's cells to Ray, results to both.

The race's state is a pure function of the spec and the ledger. So a run, a repeated run and a
resumed run are the same code: read the ledger, tell the strategy, go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from search.execution.dispatch import Asker, Work
from search.planning.plan import Plan, prepare, rebuild
from search.process import folders, launchers
from search.results.document import summary
from search.results.oof_reader import gather
from search.results.outcome import Outcome
from search.results.score_matrix import Table, other_code, planned_cells, tell_known
from search.results.standings import ROPE, Standings, judge
from search.results.sweep_labels import FILE, Truth
from search.spec import InputError, SweepError, SweepSpec
from search.strategies.strategy import Strategy, make_strategy
from search.sweep import environment as surroundings
from search.sweep import keep_encoder as model_source
from search.sweep.results_handler import Intake, Watcher, sweep_tags
from search.tracking.connect import Ledger, LoggedCell, SweepRecord
from search.tracking.open import STATE, NoLedgerError, open_ledger
from trainables.engine.contract import Task

_FEATURES = "features.json"  # of a sweep's run: seconds and reports of the extractions


@launchers.forgotten()
def run(
    spec: SweepSpec,
    *,
    plan: Plan | None = None,
    sweep_id: str | None = None,
    watcher: Watcher | None = None,
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a sweep to its end, or to its budget's.

    Args:
        spec: The sweep.
        plan: Its plan, if it has been prepared already.
        sweep_id: MLflow run id of the sweep to go on with; None starts a new one.
        watcher: Told what happens.
        tags: More tags of a new sweep's run.

    Raises:
        InputError: for bad input, before anything is trained.
        SweepError: if no further cell can be trained; what was earned is in the ledger.
        KeyboardInterrupt: if interrupted; `resume` goes on from the ledger.
    """
    watcher = watcher or Watcher()
    folders.check(spec)
    if plan is None:
        plan = prepare(spec)[0]
    outcome = _run(plan, sweep_id, watcher, tags or {})
    if plan.spec.nested and outcome.complete and outcome.standings.winner is not None:
        from search.sweep import nested_cv as nested  # which runs sweeps of its own

        outcome = nested.check_winner(outcome, watcher)
    if outcome.complete and plan.spec.outer is None:
        model_source.keep(outcome, watcher)
    return outcome


def _run(plan: Plan, sweep_id: str | None, watcher: Watcher, tags: Mapping[str, str]) -> Outcome:
    began, spec = time.monotonic(), plan.spec
    with open_ledger(spec.tracking_uri, spec.experiment, make=True) as ledger:
        table = Table.empty(plan)
        strategy = _strategy(plan)
        known = ledger.known_cells(plan.family)
        tell_known(plan, known, table, strategy.tell, sweep_id)
        if sweep_id is None:
            every = {**sweep_tags(plan), **surroundings.tags(), **tags}
            sweep_id = ledger.start_sweep(spec.name, _saved(plan), every)
            ledger.attach(sweep_id, surroundings.files())
            _name_data(plan, ledger, sweep_id)
        else:
            ledger.resume_sweep(sweep_id)
        _keep_labels(plan, ledger, sweep_id)
        intake = Intake(plan, table, ledger, sweep_id, strategy.tell, watcher)
        intake.configs(touched=np.flatnonzero(np.isfinite(table.scores).any(axis=1)))
        watcher.reused(plan, table, planned_cells(plan))
        if other := other_code(plan, known):
            watcher.said(other)
        complete = strategy.done
        status, stopped = "FAILED", "an error ended it"
        try:
            if not complete:
                _make_features(plan, table, ledger, sweep_id)
                complete = train_cells(plan, strategy, intake, sweep_id, watcher)
            status = "FINISHED" if complete else "KILLED"
            stopped = strategy.stopped or f"its {spec.budget.max_hours:g} hours are over"
        except KeyboardInterrupt:
            status, stopped = "KILLED", "it was interrupted"
            raise
        finally:
            watcher.closed()
            standings = judged(plan, table, ledger, sweep_id, strategy=strategy)
            intake.adjust()
            ended = summary(plan, table, standings, stopped=stopped)
            ledger.finish_sweep(sweep_id, status, ended)
        seconds = time.monotonic() - began
        return Outcome(sweep_id, plan, table, standings, complete, seconds, stopped=stopped)


def _make_features(plan: Plan, table: Table, ledger: Ledger, sweep_id: str) -> None:
    """Let the encoder run here, before workers wait for one another; on a cluster they do it."""
    from trainables.engine.cells import assembly as parts
    from trainables.engine.cells.trainable import Trainable

    heads = Trainable.load(plan.space.trainable).may_train_heads
    if plan.spec.resources.ray_address != "local" or not heads:
        return
    from trainables.engine.datasets.load import load_data

    unfinished = np.flatnonzero(~np.isfinite(table.scores).all(axis=1))
    configs = [plan.configs[config] for config in unfinished]
    made = parts.make_features(plan.task, load_data(plan.spec.data), configs)
    if made and ledger.file(sweep_id, _FEATURES) is None:
        ledger.attach(sweep_id, {_FEATURES: json.dumps(made, indent=2)})


def _keep_labels(plan: Plan, ledger: Ledger, sweep_id: str) -> None:
    """Keep the true labels with the sweep: a leaderboard corrects the winner without the data."""
    from trainables.engine.datasets.load import load_data

    if ledger.file(sweep_id, FILE) is None:
        data = load_data(plan.spec.data)
        truth = Truth(data.labels, data.groups, data.label_names)
        ledger.attach(sweep_id, {FILE: truth.to_bytes()})


def _name_data(plan: Plan, ledger: Ledger, sweep_id: str) -> None:
    """Log the data as an MLflow data set: the UI shows it beside the sweep."""
    from trainables.engine.datasets.load import load_data

    data = load_data(plan.spec.data)
    counts = np.bincount(data.labels, minlength=len(data.label_names)).tolist()
    ledger.name_data(
        sweep_id,
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


def judged(
    plan: Plan,
    table: Table,
    ledger: Ledger,
    sweep_id: str,
    *,
    strategy: Strategy | None = None,
    rope: float = ROPE,
) -> Standings:
    """The standings, the winner corrected from the predictions in the ledger if they are there.

    Args:
        plan: The sweep.
        table: Its scores.
        ledger: Where its predictions are.
        sweep_id: Its run id.
        strategy: Names the winner; None makes one and tells it the table.
        rope: Differences up to this size, either way, count as practically equal.
    """
    if strategy is None:
        strategy = _strategy(plan)
        for config, block in np.argwhere(np.isfinite(table.scores)).tolist():
            strategy.tell(config, block, float(table.scores[config, block]))
        for pair in table.failures:
            strategy.tell(*pair, None)
    return judge(
        plan,
        table.scores,
        strategy.winner(),
        table.failed,
        pool=lambda configs: gather(ledger, sweep_id, plan, configs),
        rope=rope,
    )


def _strategy(plan: Plan) -> Strategy:
    spec = plan.spec
    return make_strategy(
        spec.strategy,
        plan.problem,
        seed=spec.strategy_seed,
        max_cells=spec.budget.max_cells,
        stop_margin=spec.budget.stop_margin,
    )


def train_cells(plan: Plan, asker: Asker, intake: Intake, sweep_id: str, watcher: Watcher) -> bool:
    """Train what is asked for until all is done, or the time is over: then False."""
    # Ray takes seconds to import: a sweep that finds all its cells in the ledger does without.
    from search.execution import tuner

    hours = plan.spec.budget.max_hours
    return tuner.train(
        asker,
        Work(plan.task, plan.cell, plan.shape, intake.results),
        plan.spec.resources,
        storage=STATE / "tune" / sweep_id,
        checkpoints=STATE / "checkpoints" / sweep_id,
        max_seconds=None if hours is None else hours * 3600,
        plugin=plan.spec.plugin,
        on_start=watcher.started,
    )


def _saved(plan: Plan) -> dict[str, Any]:
    return {"spec": plan.spec.model_dump(mode="json"), "task": plan.task.to_json()}


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
    """The (config, block) pairs of a plan that need no training, because the ledger has them.

    Raises:
        InputError: if the ledger cannot be reached.
    """
    known = known_cells(plan)
    return {plan.keys[key] for key, cell in known.items() if key in plan.keys and cell.settled}


def load(
    tracking_uri: str, experiment: str, sweep: str, rope: float = ROPE
) -> tuple[SweepRecord, Outcome]:
    """A sweep as the ledger has it, without reading its data or its model.

    Args:
        tracking_uri: Where the ledger is.
        experiment: Its name.
        sweep: Name, MLflow run id, or `latest`.
        rope: Differences up to this size, either way, count as practically equal.

    Raises:
        InputError: if there is no such sweep, or the ledger cannot be reached.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        record = find(ledger, sweep)
        return record, read(ledger, record, rope)[0]


def read(
    ledger: Ledger, record: SweepRecord, rope: float = ROPE
) -> tuple[Outcome, dict[str, LoggedCell]]:
    """What the ledger has of a sweep, and the cells of its family by key.

    Args:
        ledger: Where it is.
        record: The sweep.
        rope: Differences up to this size, either way, count as practically equal.
    """
    from search.sweep import nested_cv as nested_scores  # which runs sweeps of its own

    spec = SweepSpec.model_validate(record.spec_json["spec"])
    plan = rebuild(spec, Task.from_json(record.spec_json["task"]))
    table = Table.empty(plan)
    strategy = _strategy(plan)
    known = ledger.known_cells(plan.family)
    tell_known(plan, known, table, strategy.tell, record.id)
    nested = nested_scores.read(ledger, record.id)
    standings = judged(plan, table, ledger, record.id, strategy=strategy, rope=rope)
    stopped = strategy.stopped
    if stopped is None and record.status != "RUNNING":
        stopped = record.tags.get("stopped")
    done = strategy.done
    return Outcome(record.id, plan, table, standings, done, 0.0, nested, stopped), known


def find(ledger: Ledger, sweep: str) -> SweepRecord:
    """A sweep by name, MLflow run id or `latest`, which passes over a nested one's inner sweeps.

    Raises:
        InputError: if there is none; names the nearest.
    """
    try:
        record = ledger.find_sweep(sweep)
        if sweep == "latest" and record.spec_json["spec"].get("outer"):
            own = (r for r in ledger.sweeps() if not r.spec_json["spec"].get("outer"))
            record = next(own, record)
    except ValueError as error:
        raise InputError(str(error)) from error
    return record


def resume(
    tracking_uri: str,
    experiment: str,
    sweep: str,
    *,
    change: Callable[[SweepSpec], SweepSpec] = lambda spec: spec,
    watcher: Watcher | None = None,
) -> Outcome:
    """Go on with a sweep, under its own spec or a changed budget.

    Raises:
        InputError: if there is no such sweep, or its data or model are no longer what they were.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        record = find(ledger, sweep)
    # The ledger may have moved since (a copied file, a server in front): where it was found holds.
    saved = SweepSpec.model_validate(record.spec_json["spec"])
    spec = change(saved.model_copy(update={"tracking_uri": tracking_uri, "experiment": experiment}))
    folders.check(spec)
    plan = prepare(spec)[0]
    before = Task.from_json(record.spec_json["task"])
    for what, was, now in (
        ("data", before.data_fingerprint, plan.task.data_fingerprint),
        ("model", before.model_fingerprint, plan.task.model_fingerprint),
    ):
        if was != now:
            raise InputError(
                f"The {what} of sweep {record.name!r} changed since it started: fingerprint was "
                f"{was[:16]}, is {now[:16]}. Its cells cannot be mixed with new ones; put the old "
                f"{what} back, or start a new sweep with `foldrace run`."
            )
    if "plugin" not in record.spec_json["task"]:
        # It ran before files of the user's had a digest: its cells are found under the old keys.
        plan = replace(plan, task=replace(plan.task, plugin=""))
    elif before.plugin != plan.task.plugin:
        raise InputError(
            f"The plugin {spec.plugin} changed since sweep {record.name!r} started: the digest of "
            f"its code was {before.plugin}, is {plan.task.plugin or 'none'}. Put the old one back, "
            "or start a new sweep."
        )
    if dict(before.files) != dict(plan.task.files):
        raise InputError(
            f"A file that the configs of sweep {record.name!r} name changed since it started "
            f"({', '.join(sorted(before.files))}): put the old one back, or start a new sweep."
        )
    return run(spec, plan=plan, sweep_id=record.id, watcher=watcher)


__all__ = ["InputError", "Outcome", "SweepError", "Table", "Watcher", "load", "resume", "run"]
