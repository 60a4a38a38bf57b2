"""Slots stay busy to the end of a sweep: real strategies and dispatcher, simulated clocks.

Scores are those of a table that was measured once. A cell takes a lognormal time, and a stack of n
the n-th part of it times the root of n.
"""

from __future__ import annotations

import heapq
import math
from pathlib import Path

import numpy as np
import pytest

from search.benchmark.replay import Rules, named_player
from search.benchmark.score_table import ScoreTable, read_table
from search.execution.dispatch import CellTask, Dispatcher, Pair
from tests.search.execution.test_dispatch import TASK
from trainables.engine.contract import Cell, CellResult

TABLE = Path(__file__).parents[2] / "benchmarks" / "tables" / "projection-trec.parquet"


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    return read_table(TABLE)


def busy_share(
    table: ScoreTable, name: str, share: float, slots: int, seconds: float, best: int
) -> tuple[float, int]:
    """Share of the slots' time until the end that they train in, and the cells trained.

    Args:
        table: Scores of all cells.
        name: Name of the strategy.
        share: Share of the cells that it may spend.
        slots: Number of slots.
        seconds: Median seconds of a cell alone.
        best: Number of cells that train fastest as one model.
    """
    dealt = Rules().deal(table, 0)
    budget = max(1, round(share * dealt.scores.size))
    strategy = named_player(name)(dealt.problem, 0, budget)
    draw = np.random.default_rng(0)

    def cell(pair: Pair) -> Cell:
        return Cell(key=f"{pair[0]}-{pair[1]}", config={}, seed=pair[1], fold=0)

    def on_results(results: object) -> None:
        for pair, _ in results:  # type: ignore[attr-defined]
            score = float(dealt.scores[pair])
            strategy.tell(*pair, score if math.isfinite(score) else None)

    shapes = dealt.problem.shapes
    work = CellTask(TASK, cell, lambda pair: shapes[pair[0]], on_results)
    dispatcher = Dispatcher(strategy, work, slots=slots)
    running: list[tuple[float, int, list[Cell], float]] = []
    now = busy = 0.0
    number = 0
    while True:
        while len(running) < slots and (cells := dispatcher.next_stack(str(number))):
            alone = seconds * draw.lognormal(0, 0.3, len(cells)).sum()
            took = float(alone) / math.sqrt(min(len(cells), best))
            heapq.heappush(running, (now + took, number, cells, took / len(cells)))
            busy, number = busy + took, number + 1
        if not running:
            return busy / (slots * now), strategy.spent
        now, stack, cells, each = heapq.heappop(running)
        done = {"accuracy": 0.5, "seconds": each}
        results = [CellResult(key=one.key, status="done", metrics=done) for one in cells]
        dispatcher.received(str(stack), *results)
        if best == 1 or len(cells) > 1:
            dispatcher.best_stack_size(best)
        dispatcher.ended(str(stack))


@pytest.mark.parametrize(
    ("name", "slots", "seconds", "best", "least"),
    [
        ("grid", 8, 30.0, 1, 0.99),
        ("grid", 64, 30.0, 1, 0.95),
        ("grid", 8, 1.0, 16, 0.96),
        ("grid", 64, 1.0, 16, 0.85),  # 18 s in all: the last stack weighs
        ("race", 8, 30.0, 1, 0.97),
        ("race", 64, 30.0, 1, 0.85),
        ("race", 8, 1.0, 16, 0.93),
        ("race", 64, 1.0, 16, 0.80),
    ],
)
def test_slots_are_busy_to_the_end(
    table: ScoreTable, name: str, slots: int, seconds: float, best: int, least: float
) -> None:
    share = 0.3 if name == "grid" else 0.1
    busy, spent = busy_share(table, name, share, slots, seconds, best)
    assert spent == round(share * 526 * 20)
    assert least < busy <= 1.0 + 1e-9
