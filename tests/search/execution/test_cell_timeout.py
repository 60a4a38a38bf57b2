"""The time limit of a cell: what it counts, and what it ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

HALF_A_SECOND = """
import time
from search.execution.cell_timeout import CellClock
from trainables.engine.contract import CellResult

clock = CellClock(0.5 / 60, cells={cells})
{then}
print("alive", flush=True)
"""
CELL = "clock.came_in(CellResult(key='a', status='diverged'))"


@pytest.mark.parametrize(
    ("cells", "then", "alive"),
    [
        # Imports, data and weights took longer than a cell may.
        (1, f"time.sleep(1); clock.start(); {CELL}", True),
        (1, "clock.start(); time.sleep(30)", False),
        # Three cells that come in together have three times as long.
        (3, f"clock.start(); time.sleep(1); {CELL}", True),
        # Once one has come in, two are left.
        (3, f"clock.start(); {CELL}; time.sleep(30)", False),
        (1, "clock.start(); clock.stop(); time.sleep(1)", True),
    ],
)
def test_a_process_ends_where_its_next_cell_is_overdue(cells: int, then: str, alive: bool) -> None:
    code = HALF_A_SECOND.format(cells=cells, then=then)
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert (ended.stdout == "alive\n") == alive == (ended.returncode == 0), ended.stderr
    assert ("Timeout" in ended.stderr) != alive
