"""Judge strategies on tables: finished exhaustive sweeps, replayed instead of trained.

A table holds more seeds than a protocol uses. Each replay deals some of them to the protocol; the
others are the truth by which the pick is judged, so that a strategy cannot win by the luck of the
cells that it saw, and exhaustive search has a regret of its own.
"""

from __future__ import annotations

import functools
import heapq
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from search.arrays import FloatArray, IntArray
from search.benchmark.regret import paired, summary
from search.benchmark.score_table import ScoreTable
from search.errors import InputError
from search.execution.dispatch.cell_source import CellTask, Pair
from search.execution.dispatch.dispatcher import Dispatcher
from search.strategies.board import FAILED, TOLD, Problem
from search.strategies.named import make_strategy
from search.strategies.strategy import Strategy
from trainables.engine.contract import Cell, CellResult, CellStatus, DataRef, Split, Task

EXHAUSTIVE = "exhaustive"
_START_S = 0.1  # of a trial, around its training
# Cells of a replay are looked up, not trained.
_NO_TASK = Task(
    trainable="",
    version=1,
    data=DataRef(name=""),
    data_fingerprint="",
    model="",
    model_fingerprint="",
    split=Split(folds=2),
)

# Makes a strategy for a problem: (problem, seed, max_cells). To be played by several processes it
# must be picklable: a function or a class of a module, or functools.partial of one.
Player = Callable[[Problem, int, int], Strategy]


@dataclass(frozen=True, eq=False)
class Deal:
    """One replay's share of a table.

    Attributes:
        problem: With the protocol's blocks only.
        scores: Scores that the strategy may see, float (configs, blocks).
        truth: Mean over the seeds that it may not, float (configs,).
        seeds: Places of the table's seeds that the strategy may see, int (seeds,).
        seconds: Time of each cell, float (configs, blocks); None where the table does not say.
    """

    problem: Problem
    scores: FloatArray
    truth: FloatArray
    seeds: IntArray
    seconds: FloatArray | None = None

    def regret(self, config: int | None) -> float:
        """Distance to the best config's truth; nan without a pick."""
        if config is None:
            return float("nan")
        truth = self.truth * self.problem.sign
        return float(truth.max() - truth[config])

    def exhaustive(self) -> int:
        """Config with the best mean over all blocks."""
        means = self.scores.mean(axis=1) * self.problem.sign  # nan where a cell is missing
        return int(np.nanargmax(means))


@dataclass(frozen=True)
class Replay:
    """One strategy's run on one deal.

    The regret is in the score's own units. `clock` is the time that the sweep would have taken, in
    seconds; nan where the table does not say what its cells take.
    """

    regret: float
    cells: int
    complete: int
    seconds_per_batch: float
    clock: float = float("nan")


def deal(table: ScoreTable, rng: np.random.Generator, seeds: int = 4) -> Deal:
    """Deal seeds to the protocol at random; the rest is the truth.

    Raises:
        InputError: when no seed is left for the truth.
    """
    if not 0 < seeds < len(table.seeds):
        raise InputError(
            f"table {table.name!r} has {len(table.seeds)} seeds; a protocol of {seeds} must leave "
            "at least 1 for the truth, and take at least 1. Deal fewer, or add seeds to the table."
        )
    order = rng.permutation(len(table.seeds))
    seen = table.scores[:, order[:seeds]].reshape(table.problem.configs, -1)
    hidden = table.scores[:, order[seeds:]].reshape(table.problem.configs, -1)
    # A config that fails on fresh seeds too is the worst that one could pick.
    worst = np.nanmin(hidden * table.problem.sign) * table.problem.sign
    truth = np.where(np.isfinite(hidden).all(axis=1), hidden.mean(axis=1), worst)
    blocks = rng.permutation(seen.shape[1])
    seconds = None
    if table.seconds is not None:
        seconds = table.seconds[:, order[:seeds]].reshape(table.problem.configs, -1)[:, blocks]
    problem = replace(table.problem, blocks=len(blocks))
    return Deal(problem, seen[:, blocks], truth, np.sort(order[:seeds]), seconds)


def play(dealt: Deal, strategy: Strategy, batch: int = 16) -> Replay:
    """Run a strategy on a deal to its end, in batches."""
    batches, began = 0, time.perf_counter()
    while cells := strategy.ask(batch):
        batches += 1
        for config, block in cells:
            score = float(dealt.scores[config, block])
            took = None if dealt.seconds is None else float(dealt.seconds[config, block])
            strategy.tell(config, block, score if np.isfinite(score) else None, took)
    spent = np.isin(strategy.board.state, (TOLD, FAILED))
    return Replay(
        regret=dealt.regret(strategy.winner()),
        cells=strategy.spent,
        complete=int(strategy.board.complete().sum()),
        seconds_per_batch=(time.perf_counter() - began) / max(batches, 1),
        clock=float("nan") if dealt.seconds is None else float(dealt.seconds[spent].sum()),
    )


def play_in_slots(
    dealt: Deal,
    strategy: Strategy,
    batch: int | Literal["auto"] = 16,
    slots: int = 2,
    deadline: float | None = None,
) -> Replay:
    """Run a strategy on a deal as a sweep does.

    Each slot asks the sweep's own dispatcher for a stack when it is free. Time is simulated: a
    stack takes as long as its cells together, and a start.

    Args:
        dealt: The deal.
        strategy: Decides which cells come next.
        batch: Most cells in a stack; "auto" as a sweep sizes them.
        slots: Number of stacks that train at once.
        deadline: Seconds at which the sweep ends; None for no limit.
    """
    seconds = np.ones(dealt.scores.shape) if dealt.seconds is None else dealt.seconds
    pairs: dict[str, Pair] = {}

    def cell(pair: Pair) -> Cell:
        key = f"{pair[0]}-{pair[1]}"
        pairs[key] = pair
        return Cell(key=key, config={}, seed=0, fold=pair[1])

    def told(results: Sequence[tuple[Pair, CellResult]]) -> None:
        for pair, result in results:
            score = float(dealt.scores[pair])
            done = result.status == "done"
            strategy.tell(*pair, score if done else None, result.metrics["seconds"])

    now, batches, began = 0.0, 0, time.perf_counter()
    shapes = dealt.problem.shapes
    work = CellTask(_NO_TASK, cell, lambda pair: int(shapes[pair[0]]), told)
    dispatcher = Dispatcher(
        strategy, work, stack=batch, slots=slots, deadline=deadline, clock=lambda: now
    )
    running: list[tuple[float, int, str, list[Cell]]] = []
    while True:
        while len(running) < slots and (cells := dispatcher.next_stack(str(batches))):
            takes = sum(float(seconds[pairs[one.key]]) for one in cells) + _START_S
            heapq.heappush(running, (now + takes, batches, str(batches), cells))
            batches += 1
        if not running:
            break
        now, _, name, cells = heapq.heappop(running)
        if deadline is not None and now > deadline:
            now = deadline
            break  # what is under way then is lost
        results = []
        for one in cells:
            pair = pairs[one.key]
            status: CellStatus = "done" if np.isfinite(dealt.scores[pair]) else "failed"
            metrics = {"seconds": float(seconds[pair])}
            results.append(CellResult(key=one.key, status=status, metrics=metrics))
        dispatcher.received(name, *results)
        dispatcher.ended(name)
    return Replay(
        regret=dealt.regret(strategy.winner()),
        cells=strategy.spent,
        complete=int(strategy.board.complete().sum()),
        seconds_per_batch=(time.perf_counter() - began) / max(batches, 1),
        clock=now if dealt.seconds is not None else float("nan"),
    )


@dataclass(frozen=True)
class Rules:
    """Settings that all replays on a table share.

    Attributes:
        seeds: Seeds that a deal's protocol gets.
        batch: Cells asked for at a time, by each slot.
        slots: Number of stacks that train at once; each asks for cells when it is free.
        seed: Seed of the deals and, with the deal's number, of the strategies.
    """

    seeds: int = 4
    batch: int = 16
    slots: int = 1
    seed: int = 0

    def deal(self, table: ScoreTable, number: int) -> Deal:
        """The deal of a number, the same for every strategy and budget."""
        return deal(table, np.random.default_rng((self.seed, number)), self.seeds)

    def replay(self, table: ScoreTable, player: Player, share: float, number: int) -> Replay:
        """Replay one strategy on one deal with a share of the cells."""
        dealt = self.deal(table, number)
        cells = max(round(share * dealt.scores.size), 1)
        strategy = player(dealt.problem, number, cells)
        if self.slots == 1:
            return play(dealt, strategy, self.batch)
        return play_in_slots(dealt, strategy, self.batch, self.slots)


# Of a worker process, set once when it starts: a table is large and tasks are many.
_AT_WORK: dict[str, Any] = {}


def _begin(table: ScoreTable, rules: Rules) -> None:
    _AT_WORK.update(table=table, rules=rules)


def _work(task: tuple[Player, float, int]) -> Replay:
    replayed: Replay = _AT_WORK["rules"].replay(_AT_WORK["table"], *task)
    return replayed


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give new processes one BLAS thread each: together they fill the cores."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def replay_all(
    table: ScoreTable, rules: Rules, tasks: Sequence[tuple[Player, float, int]], jobs: int = 1
) -> Iterator[Replay]:
    """Replay tasks (player, share, number of the deal), in order.

    Raises:
        ValueError: when jobs is below 1.
    """
    if jobs < 1:
        raise ValueError(f"replays need at least 1 process, got jobs={jobs}.")
    if jobs == 1:
        yield from (rules.replay(table, *task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    with _one_thread_each(), context.Pool(jobs, _begin, (table, rules)) as pool:
        yield from pool.imap(_work, tasks)


def judge(
    table: ScoreTable,
    players: Sequence[str] | Mapping[str, Player],
    *,
    shares: Sequence[float] = (0.03,),
    replays: int = 50,
    rules: Rules | None = None,
    jobs: int = 1,
    progress: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Regret of strategies by share of cells, over the same deals.

    Args:
        table: Table to replay.
        players: Names for `make_strategy`, or names with functions that make a strategy.
        shares: Budgets, as shares of the protocol's cells; the last one is the headline.
        replays: Deals.
        rules: Rules of the deals; None takes the defaults.
        jobs: Processes that replay side by side.
        progress: Called after each replay; there are players x shares x replays of them.

    Returns:
        The document of `bench-strategies --json`: "strategies" maps each name, "exhaustive" among
        them, to a `search.benchmark.regret.summary`, whose points have the "seconds" that the sweep
        would have taken and "minus_race", the paired difference to the race.

    Raises:
        ValueError: for an unknown strategy.
        InputError: when no seed is left for the truth.
    """
    rules = rules or Rules()
    if not isinstance(players, Mapping):
        players = {name: named_player(name) for name in players}
    blocks = rules.deal(table, 0).problem.blocks
    cells = table.problem.configs * blocks
    tasks = [
        (player, share, number)
        for player in players.values()
        for share in shares
        for number in range(replays)
    ]
    played = []
    for replay in replay_all(table, rules, tasks, jobs):
        played.append(replay)
        if progress is not None:
            progress()
    results = iter(played)
    documents = {EXHAUSTIVE: summary([(1.0, exhaustive_regrets(table, rules, replays))])}
    regret_of: dict[str, list[FloatArray]] = {name: [] for name in players}
    clocks: dict[str, list[float]] = {name: [] for name in players}
    for name in players:
        points = []
        for _ in shares:
            group = [next(results) for _ in range(replays)]
            spent = float(np.mean([replay.cells for replay in group])) / cells
            regret_of[name].append(np.array([replay.regret for replay in group]))
            points.append((spent, regret_of[name][-1]))
            clocks[name].append(float(np.mean([replay.clock for replay in group])))
        documents[name] = summary(points)
        for point, clock in zip(documents[name]["points"], clocks[name], strict=True):
            point["seconds"] = clock if np.isfinite(clock) else None
    if "race" in regret_of:
        seen = np.stack([rules.deal(table, number).seeds for number in range(replays)])
        for name, regrets in regret_of.items():
            for point, own, race in zip(
                documents[name]["points"], regrets, regret_of["race"], strict=True
            ):
                point["minus_race"] = paired(own - race, seen) if name != "race" else None
    return {
        "table": table.name,
        "configs": table.problem.configs,
        "blocks": blocks,
        "batch": rules.batch,
        "slots": rules.slots,
        "strategies": documents,
    }


def exhaustive_regrets(table: ScoreTable, rules: Rules, replays: int) -> FloatArray:
    """Regret of exhaustive search's own pick on each deal, (replays,)."""
    deals = (rules.deal(table, number) for number in range(replays))
    return np.array([dealt.regret(dealt.exhaustive()) for dealt in deals])


def named_player(name: str) -> Player:
    """Player of a strategy by name; an unknown name fails in play."""
    return functools.partial(_make_named, name)


def _make_named(name: str, problem: Problem, seed: int, cells: int) -> Strategy:
    return make_strategy(name, problem, seed=seed, max_cells=cells)
