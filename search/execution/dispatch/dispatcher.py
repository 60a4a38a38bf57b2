"""Queue of cells: forms stacks, tracks running ones, and repeats lost cells.

Stands between the strategy, which thinks in pairs (config, block), and whatever trains stacks: Ray
Tune in search/execution/tuner.py, a plain loop in a test. Knows neither.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from search.execution.dispatch.cell_source import CellSource, CellTask, Pair
from search.execution.dispatch.stack_sizes import SECONDS_PER_STACK, StackSizes
from search.strategies.budget import TimeLeft
from trainables.engine.contract import Cell, CellResult

# Share of the cells that the time left should allow: seconds a cell are an estimate, and a race
# that runs out of time before its final has nothing complete to name.
_SURE_SHARE = 0.9
# Between two looks at cells that another sweep trains: by chance, since two that claim a cell
# at the same moment both leave it.
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 3.0


@dataclass
class Dispatcher:
    """Forms stacks and settles their results and losses.

    Attributes:
        strategy: Source of pairs.
        work: Cells of the sweep.
        stack: Cells per stack, or "auto" for about `seconds_per_stack` of training.
        slots: Number of stacks that run at once.
        retries: Number of times that a cell whose stack was lost is trained again.
        deadline: Value of `clock` at which nothing more may run; None for no limit.
        seconds_per_stack: Training time beside which the start of a trial is small.
        clock: Seconds since some moment; a replay has its own.
    """

    strategy: CellSource
    work: CellTask
    stack: int | Literal["auto"] = "auto"
    slots: int = 1
    retries: int = 2
    deadline: float | None = None
    seconds_per_stack: float = SECONDS_PER_STACK
    clock: Callable[[], float] = time.monotonic
    out_of_time: bool = False
    _queue: deque[Pair] = field(default_factory=deque)
    _running: dict[str, dict[str, Pair]] = field(default_factory=dict)  # stack -> cell key -> pair
    _losses: dict[Pair, int] = field(default_factory=dict)
    _sizes: StackSizes = field(init=False)
    _shapes: dict[str, object] = field(default_factory=dict)  # of running stacks
    _since: dict[str, float] = field(default_factory=dict)  # their start or last result, of `clock`
    _elsewhere: deque[Pair] = field(default_factory=deque)  # another sweep trains them
    _ask_again_at: float = 0.0  # of `clock`

    def __post_init__(self) -> None:
        self._sizes = StackSizes(self.stack, self.slots, self.seconds_per_stack)

    @property
    def idle(self) -> bool:
        """True while no cell is being trained, here or elsewhere."""
        return not any(self._running.values()) and not self._elsewhere

    def running(self) -> dict[str, list[Pair]]:
        """Pairs that each running stack still has to report."""
        return {stack: list(pairs.values()) for stack, pairs in list(self._running.items())}

    def best_stack_size(self, cells: int, stack_id: str | None = None) -> None:
        """Note the number of cells that train fastest as one model.

        Args:
            cells: Their number.
            stack_id: Stack whose worker found it, for cells of its shape; None for all cells.
        """
        self._sizes.fastest(cells, self._shapes.get(stack_id) if stack_id else None)

    def next_stack(self, stack_id: str) -> list[Cell]:
        """Cells of one shape to train next; empty while there are none.

        A cell whose stack was lost before rides alone: should it kill its worker, it takes no
        other along.
        """
        size, left = self._sizes.most(), math.inf
        if self.deadline is not None:
            mean = self._sizes.seconds()
            left = self.deadline - self.clock()
            if left <= 0:
                self.out_of_time = True
                return []
            if mean:
                sure, had = _SURE_SHARE * left * self.slots, self._had()
                underway = sum(map(len, self._running.values()))
                further = sure / mean - max(underway - had / mean, 0.0)
                self.strategy.afford(max(int(further), 0), TimeLeft(sure, had, self.slots))
        self._ask_again()
        while True:
            if self._first(left) is None:
                # For this slot alone: what the others get may wait for the news of these.
                self._queue.extend(self.strategy.ask(size, self.slots, self._sizes.longest(left)))
            pairs = self._take(left)
            cells = self._claim({self.work.cell(pair).key: pair for pair in pairs})
            if cells or not pairs:
                break
        if cells:
            self._running[stack_id] = cells
            self._shapes[stack_id] = self.work.shape(pairs[0])
            self._since[stack_id] = self.clock()
        return [self.work.cell(pair) for pair in cells.values()]

    def _had(self) -> float:
        """Seconds that cells under way have had so far."""
        now = self.clock()
        return sum(now - self._since[stack] for stack, pairs in self._running.items() if pairs)

    def _claim(self, pairs: dict[str, Pair]) -> dict[str, Pair]:
        """Leave those that another sweep trains or has trained; ours by key."""
        if not pairs:
            return pairs
        claimed = self.work.claim([self.work.cell(pair) for pair in pairs.values()])
        self._elsewhere.extend(pair for key, pair in pairs.items() if key in claimed.busy)
        if found := [pair for key, pair in pairs.items() if key in claimed.found]:
            self.work.on_found(found)
        others = claimed.busy | claimed.found
        return {key: pair for key, pair in pairs.items() if key not in others}

    def _ask_again(self) -> None:
        """Queue cells that another sweep had again, once in a while."""
        if self._elsewhere and self.clock() >= self._ask_again_at:
            pause = random.uniform(_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S)
            self._ask_again_at = self.clock() + pause
            self._queue.extendleft(reversed(self._elsewhere))
            self._elsewhere.clear()

    def _take(self, seconds: float) -> list[Pair]:
        """Take cells of one shape, as many as the seconds left allow."""
        first = self._first(seconds)
        if first is None:
            self.out_of_time = self.out_of_time or bool(self._queue)
            return []
        self._queue.remove(first)
        stack: list[Pair] = [first]
        if first in self._losses:
            return stack
        others: list[Pair] = []
        shape = self.work.shape(first)
        size = self._sizes.most(shape)
        seconds -= self._likely(first)
        while self._queue and len(stack) < size:
            pair = self._queue.popleft()
            takes = self._likely(pair)
            if self.work.shape(pair) == shape and pair not in self._losses and takes <= seconds:
                seconds -= takes
                stack.append(pair)
            else:
                others.append(pair)
        self._queue.extendleft(reversed(others))
        return stack

    def _first(self, seconds: float) -> Pair | None:
        """First queued pair that is likely to end within the seconds."""
        return next((pair for pair in self._queue if self._likely(pair) <= seconds), None)

    def _likely(self, pair: Pair) -> float:
        """Likely seconds of a cell; 0 while nothing says so."""
        own = self.strategy.seconds_of(pair[0])
        return own or self._sizes.seconds(self.work.shape(pair))

    def received(self, stack_id: str, *results: CellResult) -> None:
        """Take cells' results.

        A second one of the same cell, or of a lost stack, is ignored.
        """
        fresh: list[tuple[Pair, CellResult]] = []
        for result in results:
            pair = self._running.get(stack_id, {}).pop(result.key, None)
            if pair is None:
                continue
            if "seconds" in result.metrics:
                self._sizes.took(self.work.shape(pair), result.metrics["seconds"])
            fresh.append((pair, result))
        self._sizes.received += len(fresh)
        if fresh:
            self._since[stack_id] = self.clock()
            self.work.on_results(fresh)

    def ended(self, stack_id: str, error: str | None = None) -> None:
        """Note a stack's end: unreported cells go back or are given up.

        Args:
            stack_id: Id of the stack.
            error: End of its traceback; None where it ended in order.
        """
        given_up: list[tuple[Pair, CellResult]] = []
        self._shapes.pop(stack_id, None)
        self._since.pop(stack_id, None)
        for key, pair in self._running.pop(stack_id, {}).items():
            losses = self._losses[pair] = self._losses.get(pair, 0) + 1
            if losses <= self.retries:
                self._queue.append(pair)
                continue
            times = "once" if losses == 1 else f"{losses} times"
            message = f"its worker ended {times} before it was done: {error or 'no reason given'}"
            given_up.append((pair, CellResult(key=key, status="failed", error=message)))
        if given_up:
            self.work.on_results(given_up)
