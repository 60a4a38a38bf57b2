"""Slots stay busy to the end of a sweep: real strategies and dispatcher, simulated clocks.

Scores are those of a table that was measured once. A cell takes a lognormal time, and a stack of n
the n-th part of it times the root of n. Trials of half a GPU are two slots of a card.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from search.benchmark.replay import Rules, named_player
from search.benchmark.score_table import ScoreTable, read_table
from search.execution.dispatch.cell_source import CellTask, Pair
from search.execution.dispatch.dispatcher import Dispatcher
from tests.search.execution.dispatch.test_dispatcher import TASK
from trainables.engine.contract import Cell, CellResult

TABLE = Path(__file__).parents[2] / "benchmarks" / "tables" / "projection-trec.parquet"


@pytest.fixture(scope="module")
def table() -> ScoreTable:
    return read_table(TABLE)


def simulated(
    table: ScoreTable,
    name: str,
    share: float,
    slots: int,
    seconds: float,
    best: int,
    dearest: float = 1.0,
) -> tuple[float, float, int]:
    """Share of the slots' time that they train in, and that they idle in while cells are left.

    The third is the number of cells trained.

    Args:
        table: Scores of all cells.
        name: Name of the strategy.
        share: Share of the cells that it may spend.
        slots: Number of slots.
        seconds: Median seconds of a cell alone.
        best: Number of cells that train fastest as one model.
        dearest: Cost of the dearest of three shapes over that of the cheapest; the dearer, the
            fewer cells train fastest as one model. With 1 all cells cost the same.
    """
    dealt = Rules().deal(table, 0)
    problem = dealt.problem
    if dearest > 1:  # a shape for each value of gamma, as if that were the number of proxies
        place = np.nan_to_num(problem.features[:, table.axes.index("gamma")])
        problem = replace(problem, shapes=place.astype(np.int64))
    shapes = problem.shapes
    costs = np.geomspace(1, dearest, shapes.max() + 1)
    budget = max(1, round(share * dealt.scores.size))
    strategy = named_player(name)(problem, 0, budget)
    draw = np.random.default_rng(0)

    def cell(pair: Pair) -> Cell:
        return Cell(key=f"{pair[0]}-{pair[1]}", config={}, seed=pair[1], fold=0)

    def on_results(results: object) -> None:
        for pair, _ in results:  # type: ignore[attr-defined]
            score = float(dealt.scores[pair])
            strategy.tell(*pair, score if math.isfinite(score) else None)

    work = CellTask(TASK, cell, lambda pair: int(shapes[pair[0]]), on_results)
    dispatcher = Dispatcher(strategy, work, slots=slots)
    running: list[tuple[float, int, list[Cell], float, int]] = []
    now = busy = idle = idle_in_the_end = 0.0
    number = 0
    while True:
        while len(running) < slots and (cells := dispatcher.next_stack(str(number))):
            cost = float(costs[shapes[int(cells[0].key.split("-")[0])]])
            fastest = max(1, round(best / cost))
            alone = cost * seconds * draw.lognormal(0, 0.3, len(cells)).sum()
            took = float(alone) / math.sqrt(min(len(cells), fastest))
            heapq.heappush(running, (now + took, number, cells, took / len(cells), fastest))
            busy, number = busy + took, number + 1
            idle, idle_in_the_end = idle + idle_in_the_end, 0.0  # a cell was left after all
        if not running:
            return busy / (slots * now), idle / (slots * now), strategy.spent
        before, free = now, slots - len(running)
        now, stack, cells, each, fastest = heapq.heappop(running)
        idle_in_the_end += free * (now - before)
        done = {"accuracy": 0.5, "seconds": each}
        results = [CellResult(key=one.key, status="done", metrics=done) for one in cells]
        dispatcher.received(str(stack), *results)
        if fastest == 1 or len(cells) > 1:
            dispatcher.best_stack_size(fastest, str(stack))
        dispatcher.ended(str(stack))


@pytest.mark.parametrize(
    ("name", "slots", "seconds", "best", "dearest", "least"),
    [
        ("grid", 8, 30.0, 1, 1, 0.99),
        ("grid", 64, 30.0, 1, 1, 0.95),
        ("grid", 8, 1.0, 16, 1, 0.96),
        ("grid", 64, 1.0, 16, 1, 0.85),  # 18 s in all: the last stack weighs
        ("race", 64, 1.0, 16, 1, 0.80),
        # A cell of 20 s beside one of 1 s, as with 2,000 proxies beside 10.
        ("race", 8, 1.0, 16, 20, 0.95),
        ("race", 64, 1.0, 16, 20, 0.75),  # the longest cell takes a quarter of the whole
    ],
)
def test_slots_are_busy_to_the_end(
    table: ScoreTable,
    name: str,
    slots: int,
    seconds: float,
    best: int,
    dearest: float,
    least: float,
) -> None:
    share = 0.3 if name == "grid" else 0.1
    busy, idle, spent = simulated(table, name, share, slots, seconds, best, dearest)
    assert spent == round(share * 526 * 20)
    assert idle < 0.005, "no slot is idle while cells are left"
    assert least < busy <= 1.0 + 1e-9
