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

    Of a cell that has one finished run, which is the rule, the id alone is kept. Hexadecimal texts
    are kept as bytes, in half the memory.
    """

    def __init__(self) -> None:
        self._finished: dict[str | bytes, str | bytes] = {}
        self._others: dict[str, list[CellRun]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._others or _packed(key) in self._finished

    def of(self, key: str) -> list[CellRun]:
        """Runs of a key; none for an unknown one."""
        run_id = self._finished.get(_packed(key))
        return self._others.get(key, []) if run_id is None else [CellRun(FINISHED, _text(run_id))]

    def put(self, key: str, runs: Sequence[CellRun]) -> None:
        """Set the runs of a key in place of what was known."""
        self._others.pop(key, None)
        if len(runs) == 1 and runs[0].status == FINISHED:
            self._finished[_packed(key)] = _packed(runs[0].run_id)
            return
        self._finished.pop(_packed(key), None)
        if runs:
            self._others[key] = list(runs)

    def update(self, other: CellRuns) -> None:
        """Take over all that another knows."""
        for key in (*map(_text, other._finished), *other._others):
            self.put(key, other.of(key))

    def unclear(self) -> Iterator[tuple[str, list[CellRun]]]:
        """Keys that have several runs or an unfinished one, with these."""
        yield from list(self._others.items())


def _packed(text: str) -> str | bytes:
    """Bytes of a hexadecimal text; another as it is."""
    try:
        packed = bytes.fromhex(text)
    except ValueError:
        return text
    return packed if packed.hex() == text else text


def _text(packed: str | bytes) -> str:
    return packed if isinstance(packed, str) else packed.hex()
