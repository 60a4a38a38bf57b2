"""Runs of cells: twice, half-written, damaged, or without predictions."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import get_args

from search.doctor.finding import Finding, Level, named
from search.formatting import counted
from search.ledger.payloads import PREDICTIONS
from search.ledger.records import LoggedCell, LoggedRun
from search.ledger.store import WRITER
from trainables.engine.contract import CellStatus


def look(
    runs: Sequence[LoggedRun],
    objectives: Mapping[str, Collection[str]],
    sweeps: Mapping[str, str],
    writers: Collection[str],
    folder: Path | None,
) -> list[Finding]:
    """Find what is wrong with the runs of cells.

    Args:
        runs: All of them.
        objectives: Metrics that finished cells must have, by family.
        sweeps: Names of sweeps by run id.
        writers: Writers of drivers that live, or may.
        folder: Local folder of the runs' files; None if they are elsewhere.
    """
    done: dict[str, list[LoggedRun]] = {}
    damaged: list[tuple[LoggedRun, str]] = []
    bare, half, failed = [], [], 0
    for run in runs:
        if run.status in ("RUNNING", "SCHEDULED"):
            if run.tags.get(WRITER) not in writers:
                half.append(run)
            continue
        failed += run.status == "FAILED"
        if run.status != "FINISHED":
            continue
        if (fault := _fault(run, objectives)) is not None:
            damaged.append((run, fault))
            continue
        done.setdefault(run.tags["cell_key"], []).append(run)
        if (
            folder is not None
            and run.tags["status"] == "done"
            and not _has_predictions(folder, run)
        ):
            bare.append(run)
    findings = []
    if damaged:
        found = f"{counted(len(damaged), 'finished cell')} with damaged values: " + named(
            [f"{run.run_id} {fault}" for run, fault in damaged]
        )
        todo = "delete these runs in MLflow; `foldrace resume SWEEP` trains the cells again"
        findings.append(_finding("fault", found, todo))
    if twice := [key for key, several in done.items() if len(several) > 1]:
        of = {sweeps.get(done[key][0].tags.get("sweep", "")) for key in twice}
        known = sorted(name for name in of if name)
        found = f"{counted(len(twice), 'cell')} recorded more than once: {named(twice)}"
        first = shlex.quote(known[0]) if known else "SWEEP"
        todo = f"foldrace resume {first} keeps the oldest of each"
        findings.append(_finding("fault", found, todo))
    if bare:
        found = f"{counted(len(bare), 'finished cell')} without predictions: " + named(
            [run.run_id for run in bare]
        )
        todo = f"restore {folder} from a copy, or delete these runs in MLflow and resume"
        findings.append(_finding("fault", found, todo))
    if half:
        found = f"{counted(len(half), 'half-written cell')}: {named([run.run_id for run in half])}"
        todo = "none counts; foldrace resume writes them anew"
        findings.append(_finding("note", found, todo))
    if not findings:
        found = f"{counted(len(done), 'cell')} finished, each once and whole"
        findings.append(_finding("ok", found + (f"; {failed:,} failed" if failed else "")))
    return findings


def _fault(run: LoggedRun, objectives: Mapping[str, Collection[str]]) -> str | None:
    """Reason why a finished run is no cell, if any."""
    try:
        cell = LoggedCell.of(run.tags, run.params, run.metrics, run.run_id, run.ended_ms)
    except KeyError as error:
        return f"lacks {error.args[0]}"
    except ValueError as error:
        return f"({error})"
    if cell.status not in get_args(CellStatus):
        return f"has status={cell.status!r}"
    wanted = objectives.get(run.tags.get("family", ""), ()) if cell.status == "done" else ()
    return _unfit(cell, wanted)


def _unfit(cell: LoggedCell, wanted: Collection[str]) -> str | None:
    for name in wanted:
        if name not in cell.metrics:
            return f"lacks {name}"
        if not math.isfinite(cell.metrics[name]):
            return f"has {name}={cell.metrics[name]}"
    return None


def _has_predictions(folder: Path, run: LoggedRun) -> bool:
    try:
        return (folder / run.run_id / "artifacts" / PREDICTIONS).stat().st_size > 0
    except OSError:
        return False


def _finding(level: Level, found: str, todo: str | None = None) -> Finding:
    return Finding(level=level, subject="ledger", thing="cells", found=found, todo=todo)
