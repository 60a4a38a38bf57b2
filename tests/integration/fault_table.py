"""The table that `make faults` prints: what was done to sweeps, and what it cost them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import pytest


class Noter(Protocol):
    """Notes a row of the table."""

    def __call__(self, fault: str, times: int, *, lost: int, twice: int, changed: int) -> None: ...


@dataclass
class FaultTable:
    """Rows: a fault, how often, cells lost, cells twice, scores changed."""

    rows: list[tuple[str, int, int, int, int]] = field(default_factory=list)

    def note(self, fault: str, times: int, *, lost: int, twice: int, changed: int) -> None:
        self.rows.append((fault, times, lost, twice, changed))

    def __str__(self) -> str:
        head = "| fault | times | cells lost | cells twice | scores changed |"
        rule = "| --- | --: | --: | --: | --: |"
        rows = [f"| {' | '.join(map(str, row))} |" for row in self.rows]
        return "\n".join([head, rule, *rows])


TABLE = pytest.StashKey[FaultTable]()
