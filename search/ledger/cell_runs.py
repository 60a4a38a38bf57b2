"""Runs of cells by key, in little memory.

A sweep may have a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from search.ledger.records import LoggedRun
from search.ledger.store import WRITER

FINISHED = "FINISHED"


@dataclass(frozen=True, slots=True)
class CellRun:
    """A run of a cell.

    Attributes:
        status: MLflow's status.
        run_id: Its id.
        started_ms: Start; 0 where it was not asked for.
        writer: Writer of a run that takes several requests.
    """

    status: str
    run_id: str
    started_ms: int = 0
    writer: str | None = None

    @classmethod
    def of(cls, run: LoggedRun) -> CellRun:
        """Take from a run what tells it from others of its cell."""
        return cls(run.status, run.run_id, run.started_ms, run.tags.get(WRITER))


class CellRuns:
    """Runs of a family's cells by key.

    Of a cell that has one finished run, which is the rule, the id alone is kept.
    """

    def __init__(self) -> None:
        self._finished: dict[str, str] = {}
        self._others: dict[str, list[CellRun]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._finished or key in self._others

    def of(self, key: str) -> list[CellRun]:
        """Runs of a key; none for an unknown one."""
        run_id = self._finished.get(key)
        return self._others.get(key, []) if run_id is None else [CellRun(FINISHED, run_id)]

    def put(self, key: str, runs: Sequence[CellRun]) -> None:
        """Set the runs of a key in place of what was known."""
        self._finished.pop(key, None)
        self._others.pop(key, None)
        if len(runs) == 1 and runs[0].status == FINISHED:
            self._finished[key] = runs[0].run_id
        elif runs:
            self._others[key] = list(runs)

    def update(self, other: CellRuns) -> None:
        """Take over all that another knows."""
        for key in other._finished.keys() | other._others.keys():
            self.put(key, other.of(key))

    def unclear(self) -> Iterator[tuple[str, list[CellRun]]]:
        """Keys that have several runs or an unfinished one, with these."""
        yield from list(self._others.items())
