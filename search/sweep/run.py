"""Entry points `run` and `resume`; the work is in train_sweep.py.

The race's state is a pure function of the spec and the ledger. So a run, a repeated run and a
resumed run are the same code: read the ledger, tell the strategy, go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from search.errors import InputError, NoLedgerError
from search.planning.plan import Plan
from search.planning.prepare import prepare
from search.planning.saved_plan import spec_of, task_of
from search.process import folders, launchers
from search.results.outcome import SweepResult
from search.spec.sweep_spec import SweepSpec
from search.sweep import keep_encoder, nested_cv, own_strategy, prior_sweeps
from search.sweep.callback import Callback, CallbackList
from search.sweep.load import find
from search.sweep.train_sweep import train_sweep
from search.tracking.open import open_ledger
from search.tracking_uri import EXPERIMENT, default_tracking_uri


@launchers.forgotten()
def run(
    spec: SweepSpec,
    *,
    plan: Plan | None = None,
    sweep_id: str | None = None,
    callbacks: Sequence[Callback] = (),
    tags: Mapping[str, str] | None = None,
    take_over: bool = False,
    unique: bool = False,
) -> SweepResult:
    """Run a sweep to its end, or to its budget's.

    Args:
        spec: The sweep.
        plan: Its plan, if it has been prepared already.
        sweep_id: MLflow run id of the sweep to go on with; None starts a new one.
        callbacks: Told of the progress, in this order.
        tags: More tags of a new sweep's run.
        take_over: Take the place of a process that trains a sweep of this name.
        unique: Refuse a name that a sweep has already, ended or not.

    Raises:
        SweepTakenError: if another process trains a sweep of this name.
        InputError: for bad input, before anything is trained.
        SweepError: if no further cell can be trained; what was earned is in the ledger.
        KeyboardInterrupt: if interrupted; `resume` goes on from the ledger.
    """
    callback = CallbackList(callbacks)
    if plan is None:
        plan = planned(spec, take_over)
    own_strategy.check(plan.spec)
    folders.check(spec)
    outcome = train_sweep(plan, sweep_id, callback, tags or {}, take_over, unique)
    if plan.spec.nested and outcome.complete and outcome.standings.winner is not None:
        outcome = nested_cv.check_winner(outcome, callback)
    if outcome.complete and plan.spec.outer is None:
        keep_encoder.keep(outcome, callback)
    return outcome


@launchers.forgotten()
def planned(spec: SweepSpec, take_over: bool = False) -> Plan:
    """Plan of a sweep that this process may train.

    Args:
        spec: The sweep.
        take_over: Take the place of a process that trains a sweep of this name.

    Raises:
        SweepTakenError: if another process trains a sweep of this name.
        InputError: for bad input.
    """
    if not isinstance(spec, SweepSpec):
        raise InputError(f"run wants a SweepSpec, got {spec!r}: run(SweepSpec(space=..., ...)).")
    own_strategy.check(spec)
    folders.check(spec)
    check_free(spec, take_over)
    prior_sweeps.check(spec)
    return prepare(spec)[0]


def check_free(spec: SweepSpec, take_over: bool = False) -> None:
    """Refuse a sweep that a process of this machine trains.

    Raises:
        SweepTakenError: naming that process.
        InputError: if the ledger cannot be reached.
    """
    with suppress(NoLedgerError):
        if not take_over:
            with open_ledger(spec.tracking_uri, spec.experiment) as ledger:
                ledger.check_free(spec.name)


def resume(
    sweep: str,
    *,
    tracking_uri: str | None = None,
    experiment: str = EXPERIMENT,
    change: Callable[[SweepSpec], SweepSpec] = lambda spec: spec,
    callbacks: Sequence[Callback] = (),
    take_over: bool = False,
) -> SweepResult:
    """Resume a sweep, under its own spec or a changed one.

    Raises:
        SweepTakenError: if another process trains it.
        InputError: if there is no such sweep, or its data or model are no longer what they were.
    """
    tracking_uri = tracking_uri or default_tracking_uri()
    with open_ledger(tracking_uri, experiment) as ledger:
        record = find(ledger, sweep)
    # The ledger may have moved since (a copied file, a server in front): where it was found holds.
    saved = spec_of(record)
    spec = change(saved.model_copy(update={"tracking_uri": tracking_uri, "experiment": experiment}))
    folders.check(spec)
    plan = prepare(spec, saved=True)[0]
    before = task_of(record)
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
    if "plugin" not in record.task:
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
    return run(spec, plan=plan, sweep_id=record.id, callbacks=callbacks, take_over=take_over)
