"""Queue of cells: forms stacks, tracks running ones, and repeats lost cells.

Stands between the strategy, which thinks in pairs (config, block), and whatever trains stacks: Ray
Tune in search/execution/tuner.py, a plain loop in a test. Knows neither.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from search.strategies.budget import TimeLeft
from trainables.engine.contract import Cell, CellResult, Task

Pair = tuple[int, int]  # (index of the config, index of the block)

# A trial costs some 20-100 ms around its training; so much training makes that a small share.
SECONDS_PER_STACK = 5.0
_MOST_CELLS_PER_STACK = 512
# Cells of a shape in a stack before one has come in: with two a worker can measure their gain.
_FIRST_OF_A_SHAPE = 2
# Share of the cells that the time left should allow: seconds a cell are an estimate, and a race
# that runs out of time before its final has nothing complete to name.
_SURE_SHARE = 0.9
# Cells asked for at once are picked without one another's scores: a strategy that learns may commit
# so many per slot, or this share of all results, in all slots together.
_CELLS_WITHOUT_NEWS = 16
_SHARE_WITHOUT_NEWS = 1 / 8
# So much of the time left goes into one stack: with more, a few stacks of dear cells that the first
# scores picked are all that the slots still have time for.
_SHARE_OF_THE_LEFT = 1 / 16
# Between two looks at cells that another sweep trains: by chance, since two that claim a cell
# at the same moment both leave it.
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 3.0


class CellSource(Protocol):
    """Source of pairs to train, as a strategy is one."""

    @property
    def done(self) -> bool:
        """True once no more cells will be asked for."""
        ...

    def ask(self, n: int, slots: int = 1, seconds: float | None = None) -> list[Pair]:
        """Up to n pairs to train next, for one slot of several.

        None means: wait for results, or the end. Those after the first take no longer than
        `seconds` with it.
        """
        ...

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        """Note how many cells beside those under way the time left allows, and that time."""
        ...

    def seconds_of(self, config: int) -> float | None:
        """Likely seconds of a config's cell; None where nothing says so."""
        ...


def _all_ours(cells: Sequence[Cell]) -> Claimed:
    return Claimed()


def _no_news(pairs: Sequence[Pair]) -> None:
    return None


def _going_on() -> None:
    return None


@dataclass(frozen=True)
class Claimed:
    """Cells that are not ours to train, by key.

    Attributes:
        found: Those that another sweep has trained.
        busy: Those that another sweep trains now.
    """

    found: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CellTask:
    """Cells of a sweep, as far as their training needs them.

    Attributes:
        task: Task that all cells share.
        cell: Function from a pair to its cell.
        shape: Function from a pair to its shape; pairs of equal shapes may share a stack.
        on_results: Function called in the driver with the results that came in together, in order
            of arrival; it tells the strategy.
        claim: Function called with the cells of a stack that is about to start.
        on_found: Function called with pairs that another sweep has trained; it tells the strategy.
        halted: Gives a sentence on why no further stack may start; None while one may.
    """

    task: Task
    cell: Callable[[Pair], Cell]
    shape: Callable[[Pair], object]
    on_results: Callable[[Sequence[tuple[Pair, CellResult]]], None]
    claim: Callable[[Sequence[Cell]], Claimed] = _all_ours
    on_found: Callable[[Sequence[Pair]], None] = _no_news
    halted: Callable[[], str | None] = _going_on


@dataclass
class _Costs:
    """Seconds of the last cells, and the fastest size of a stack."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    fastest: int | None = None

    @property
    def typical(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds) if self.seconds else 0.0


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
    _every: _Costs = field(default_factory=_Costs)
    _of_shape: dict[object, _Costs] = field(default_factory=dict)
    _shapes: dict[str, object] = field(default_factory=dict)  # of running stacks
    _since: dict[str, float] = field(default_factory=dict)  # their start or last result, of `clock`
    _received: int = 0
    _elsewhere: deque[Pair] = field(default_factory=deque)  # another sweep trains them
    _ask_again_at: float = 0.0  # of `clock`

    @property
    def idle(self) -> bool:
        """True while no cell is being trained, here or elsewhere."""
        return not any(self._running.values()) and not self._elsewhere

    def running(self) -> dict[str, list[Pair]]:
        """Pairs that each running stack still has to report."""
        return {stack: list(pairs.values()) for stack, pairs in list(self._running.items())}

    def stack_size(self, shape: object = None) -> int:
        """Most cells that the next stack may hold.

        Args:
            shape: Shape of its cells; None for the shape that may hold most.
        """
        if self.stack != "auto":
            return self.stack
        if shape is None and self._of_shape:
            return max(map(self.stack_size, self._of_shape))
        own = self._of_shape.get(shape)
        if own is None or not own.seconds:
            # What others take says nothing of a shape's first cells: k = 2,000 beside k = 10.
            return _FIRST_OF_A_SHAPE if self._every.seconds else 1
        # A worker measures the gain of training several as one model once it has several.
        fastest = own.fastest or self._every.fastest or 2
        size = round(self.seconds_per_stack / max(own.typical, 1e-3))
        blind = max(_CELLS_WITHOUT_NEWS, int(self._received * _SHARE_WITHOUT_NEWS) // self.slots)
        return max(fastest, min(_MOST_CELLS_PER_STACK, blind, size))

    def best_stack_size(self, cells: int, stack_id: str | None = None) -> None:
        """Note the number of cells that train fastest as one model.

        Args:
            cells: Their number.
            stack_id: Stack whose worker found it, for cells of its shape; None for all cells.
        """
        known = [self._every]
        if stack_id in self._shapes:
            known.append(self._of_shape.setdefault(self._shapes[stack_id], _Costs()))
        for costs in known:
            costs.fastest = max(1, min(_MOST_CELLS_PER_STACK, cells))

    def next_stack(self, stack_id: str) -> list[Cell]:
        """Cells of one shape to train next; empty while there are none.

        A cell whose stack was lost before rides alone: should it kill its worker, it takes no
        other along.
        """
        size, left = self.stack_size(), math.inf
        if self.deadline is not None:
            mean = self._every.mean
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
                self._queue.extend(self.strategy.ask(size, self.slots, self._longest(left)))
            pairs = self._take(left)
            cells = self._claim({self.work.cell(pair).key: pair for pair in pairs})
            if cells or not pairs:
                break
        if cells:
            self._running[stack_id] = cells
            self._shapes[stack_id] = self.work.shape(pairs[0])
            self._since[stack_id] = self.clock()
        return [self.work.cell(pair) for pair in cells.values()]

    def _longest(self, left: float) -> float | None:
        """Most seconds of a stack, in view of the time left; None for no limit.

        What trains fastest as one model stays one.
        """
        if math.isinf(left):
            return None
        return max(_SHARE_OF_THE_LEFT * left, (self._every.fastest or 1) * self._every.mean)

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
        size = self.stack_size(shape)
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
        shape = self.work.shape(pair)
        return self.strategy.seconds_of(pair[0]) or self._of_shape.get(shape, self._every).mean

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
                own = self._of_shape.setdefault(self.work.shape(pair), _Costs())
                for costs in (self._every, own):
                    costs.seconds.append(result.metrics["seconds"])
            fresh.append((pair, result))
        self._received += len(fresh)
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
