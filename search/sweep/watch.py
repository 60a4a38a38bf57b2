"""A sweep that another process drives, followed by the ledger alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from search.errors import SweepError
from search.ledger.ledger import Ledger
from search.ledger.records import LoggedCell, SweepRecord
from search.planning.plan import Plan
from search.planning.saved_plan import of_record
from search.results.outcome import SweepResult
from search.results.score_matrix import (
    ScoreMatrix,
    objective_and_time,
    planned_cells,
    tell_known,
)
from search.sweep.callback import Callback
from search.sweep.load import find, read
from search.tracking.open import open_ledger
from trainables.engine.contract import CellResult

EVERY_S = 2.0
# A ledger of a million cells takes half a minute to read: looking is a small part of the time.
_REST = 4.0
# A driver lets go of its lease a moment before or after its sweep's run ends.
_MOST_DRIVERLESS = 3


def watch(
    tracking_uri: str,
    experiment: str,
    sweep: str,
    callback: Callback,
    *,
    every_s: float = EVERY_S,
) -> SweepResult:
    """Tell a callback of a sweep's cells until it ends.

    They are told as the ledger gets them. Nothing is written. A sweep that has ended already is
    read once.

    Args:
        tracking_uri: URI of the ledger.
        experiment: Its name.
        sweep: Name, MLflow run id, or `latest`.
        callback: Told of the sweep and of each cell.
        every_s: Seconds between two looks, more where a look takes long.

    Returns:
        The sweep as it stands at its end.

    Raises:
        InputError: if there is no such sweep.
        SweepError: if the process that drives it lives no more.
        LedgerError: if MLflow cannot be reached.
    """
    with open_ledger(tracking_uri, experiment) as ledger:
        record = find(ledger, sweep)
        if record.status == "RUNNING":
            record = _follow(_Watched(ledger, record, of_record(record), callback), every_s)
        return read(ledger, record)


@dataclass
class _Watched:
    """A sweep, what is known of it, and who is told."""

    ledger: Ledger
    record: SweepRecord
    plan: Plan
    callback: Callback
    seen: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.table = ScoreMatrix.empty(self.plan)

    def news(self) -> list[LoggedCell]:
        """Cells of the sweep that came since the last look."""
        fresh = []
        for cell in self.ledger.cells(self.plan.family, objective_and_time(self.plan)):
            pair = self.plan.keys.get(cell.key)
            if pair is not None and cell.settled and pair not in self.seen:
                self.seen.add(pair)
                fresh.append(cell)
        tell_known(self.plan, fresh, self.table, lambda *_: None, self.record.id)
        return fresh

    def tell(self, cell: LoggedCell) -> None:
        """Tell of one cell."""
        result = CellResult(
            key=cell.key,
            status=cell.status,  # type: ignore[arg-type]
            metrics=cell.metrics,
            error=cell.error,
        )
        self.callback.on_cell(self.plan, self.table, self.plan.keys[cell.key], result)


def _follow(watched: _Watched, every_s: float) -> SweepRecord:
    """Look until the sweep has ended; returns its record."""
    ledger, record, name = watched.ledger, watched.record, watched.record.name
    driverless, began = 0, time.monotonic()
    driver, _ = ledger.driver_of(name)
    watched.news()
    who = "a process that has let go of it" if driver is None else str(driver)
    planned = planned_cells(watched.plan)
    watched.callback.on_watch(watched.plan, watched.table, planned, who)
    try:
        while record.status == "RUNNING":
            time.sleep(max(every_s, _REST * (time.monotonic() - began)))
            began = time.monotonic()
            # In this order: what a driver wrote before it ended is then seen.
            record = ledger.find_sweep(record.id)
            driver, lives = ledger.driver_of(name)
            for cell in watched.news():
                watched.tell(cell)
            driverless = 0 if driver is not None and lives is not False else driverless + 1
            if record.status == "RUNNING" and driverless == _MOST_DRIVERLESS:
                raise SweepError(
                    f"Sweep {name!r} is not trained any more: it has not ended, and {who} is gone. "
                    f"Its {len(watched.seen):,} cells are in the ledger; `foldrace resume {name}` "
                    "goes on."
                )
    finally:
        watched.callback.on_end()
    return record
