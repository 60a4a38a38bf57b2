"""The ledger: its sweeps, their drivers, its cells."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from search.doctor import cells
from search.doctor.finding import Finding, Level, named
from search.errors import FoldraceError, InputError, LedgerError, NoLedgerError
from search.formatting import counted
from search.ledger.leases.drivers import Driver, SignsOfLife, drivers_of, never_driven
from search.ledger.leases.lease import PATIENCE_S
from search.ledger.ledger import Ledger
from search.ledger.records import LoggedRun, SweepRecord
from search.planning.saved_plan import of_record
from search.redaction import redact
from search.tracking.open import open_ledger
from search.tracking_uri import scheme, sqlite_file


@dataclass(frozen=True, kw_only=True)
class _Sweep:
    """A sweep's run, as far as it can be read.

    Attributes:
        run: Its run.
        objective: Metric that its cells must have; None where it is not known.
        fault: Sentence on what cannot be read of it; None for a sound one.
    """

    run: LoggedRun
    objective: str | None
    fault: str | None


def look(uri: str, experiment: str) -> list[Finding]:
    """Look at a ledger, without a change to it.

    Args:
        uri: Tracking URI.
        experiment: Name of the experiment.
    """
    kind = "sqlite file" if sqlite_file(uri) is not None else f"{scheme(uri)} server"
    where = f"{kind} {redact(uri)}, experiment {experiment}"
    try:
        with open_ledger(uri, experiment) as ledger:
            return _of(ledger, where)
    except NoLedgerError:
        return [_finding("ok", "ledger", f"{where}: not there yet, no sweep was started")]
    except (InputError, LedgerError) as error:
        return [_finding("fault", "ledger", str(error))]


def _of(ledger: Ledger, where: str) -> list[Finding]:
    runs = ledger.runs("sweeps")
    sweeps = [_read(run) for run in runs if not never_driven(run)]
    drivers, signs = drivers_of(runs), SignsOfLife(PATIENCE_S)
    lives = {driver.token: signs.of(driver) for driver in drivers}
    dead = {driver.run_id for driver in drivers if lives[driver.token] is False}
    orphans = [run.run_id for run in runs if never_driven(run) and run.run_id in dead]
    cell_runs = ledger.runs("cells")
    reached = f"{where}: {counted(len(sweeps), 'sweep')}, {counted(len(cell_runs), 'run')} of cells"
    findings = [_finding("ok", "ledger", reached)]
    findings += [
        _finding("fault", f"sweep {s.run.name}", s.fault, f"foldrace prune {s.run.run_id}")
        for s in sweeps
        if s.fault is not None
    ]
    if orphans:
        found = f"{counted(len(orphans), 'run')} of drivers that were killed before they drove: "
        todo = "none is a sweep; each goes when its name is run again"
        findings.append(_finding("note", "sweeps", found + named(orphans), todo))
    findings += _drivers(sweeps, drivers, lives)
    living = [driver for driver in drivers if lives[driver.token] is not False]
    objectives: dict[str, set[str]] = {}
    for sweep in sweeps:
        if sweep.objective is not None:
            objectives.setdefault(sweep.run.tags.get("family", ""), set()).add(sweep.objective)
    names = {run.run_id: run.name for run in runs}
    writers = {driver.writer for driver in living}
    return findings + cells.look(cell_runs, objectives, names, writers, ledger.folder("cells"))


def _read(run: LoggedRun) -> _Sweep:
    objective = fault = None
    try:
        record = SweepRecord.of(run)
        objective = of_record(record).space.objective
    except LedgerError as error:
        fault = str(error)
    except (FoldraceError, OSError) as error:
        fault = f"its plan cannot be made any more: {error}"
    return _Sweep(run=run, objective=objective, fault=fault)


def _drivers(
    sweeps: Sequence[_Sweep], drivers: Sequence[Driver], lives: dict[str, bool | None]
) -> list[Finding]:
    findings, abandoned = [], []
    for sweep in sweeps:
        run = sweep.run
        own = [driver for driver in drivers if driver.run_id == run.run_id]
        living = [driver for driver in own if lives[driver.token]]
        elsewhere = [driver for driver in own if lives[driver.token] is None]
        thing = f"sweep {run.name}"
        if living:
            findings.append(_finding("ok", thing, f"is being trained by {living[0]}"))
        elif elsewhere:
            found = f"is trained by {elsewhere[0]}; if that still lives cannot be seen from here"
            todo = f"if it is dead: foldrace resume {shlex.quote(run.name)}"
            findings.append(_finding("note", thing, found, todo))
        elif run.status == "RUNNING":
            abandoned.append((run, own))
    for run, own in abandoned[:3]:
        gone = f": {own[0]} is gone" if own else ""
        found = f"is RUNNING in MLflow, and nobody trains it{gone}"
        name = shlex.quote(run.name)
        todo = f"foldrace resume {name} goes on, foldrace prune {name} removes it"
        findings.append(_finding("fault", f"sweep {run.name}", found, todo))
    if more := [run.name for run, _ in abandoned[3:]]:
        found = f"{named(more)}: RUNNING in MLflow, and nobody trains them"
        findings.append(_finding("fault", "more sweeps", found, "foldrace resume each"))
    return findings


def _finding(level: Level, thing: str, found: str, todo: str | None = None) -> Finding:
    return Finding(level=level, subject="ledger", thing=thing, found=found, todo=todo)
