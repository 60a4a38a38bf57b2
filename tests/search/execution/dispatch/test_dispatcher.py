"""The dispatcher forms stacks of one shape and loses nothing when a stack is lost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.execution.dispatch import dispatcher as module
from search.execution.dispatch.cell_source import CellTask, Claimed, Pair
from search.execution.dispatch.dispatcher import Dispatcher
from search.strategies.budget import TimeLeft
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem
from trainables.engine.contract import Cell, CellResult, DataRef, Split, Task

TASK = Task(
    trainable="t",
    version=1,
    data=DataRef(name="d"),
    data_fingerprint="f",
    model="m",
    model_fingerprint="w",
    split=Split(folds=2),
)


class Listed:
    """A strategy that asks for the pairs it was given, in order."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.waiting = list(pairs)
        self.affordable: int | None = None
        self.likely: dict[int, float] = {}
        self.longest: float | None = None

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        self.affordable, self.time = cells, time

    def seconds_of(self, config: int) -> float | None:
        return self.likely.get(config)

    @property
    def done(self) -> bool:
        return not self.waiting

    def ask(self, n: int, slots: int = 1, seconds: float | None = None) -> list[Pair]:
        self.longest = seconds
        asked, self.waiting = self.waiting[:n], self.waiting[n:]
        return asked


def _dispatcher(
    pairs: list[Pair],
    got: dict[Pair, CellResult],
    shape: Callable[[Pair], object] = lambda pair: 0,
    **settings: object,
) -> Dispatcher:
    def on_results(results: Sequence[tuple[Pair, CellResult]]) -> None:
        for pair, result in results:
            assert pair not in got, "a cell came in twice"
            got[pair] = result

    def cell(pair: Pair) -> Cell:
        return Cell(key=f"{pair[0]}-{pair[1]}", config={}, seed=pair[1], fold=0)

    return Dispatcher(Listed(pairs), CellTask(TASK, cell, shape, on_results), **settings)  # type: ignore[arg-type]


def _done(key: str, seconds: float = 1.0) -> CellResult:
    return CellResult(key=key, status="done", metrics={"accuracy": 0.5, "seconds": seconds})


def test_a_stack_holds_cells_of_one_shape_and_no_more_than_its_size() -> None:
    pairs = [(config, 0) for config in (0, 2, 4, 1, 3)]
    dispatcher = _dispatcher(pairs, {}, shape=lambda pair: pair[0] % 2, stack=2, slots=4)

    stacks = [[cell.key for cell in dispatcher.next_stack(name)] for name in "abcd"]

    assert stacks == [["0-0", "2-0"], ["4-0"], ["1-0"], ["3-0"]]


def test_a_lost_cell_comes_back_alone_and_is_given_up_after_its_retries() -> None:
    got: dict[Pair, CellResult] = {}
    dispatcher = _dispatcher([(0, 0), (1, 0)], got, stack=2, retries=1)
    stack = dispatcher.next_stack("a")
    assert len(stack) == 2
    dispatcher.received("a", _done("0-0"))
    dispatcher.ended("a", "worker died")
    assert dispatcher.idle

    assert [cell.key for cell in dispatcher.next_stack("b")] == ["1-0"]
    dispatcher.ended("b", "worker died again")

    assert dispatcher.next_stack("c") == []
    assert got[0, 0].status == "done"
    assert got[1, 0].status == "failed"
    assert "ended 2 times" in (got[1, 0].error or "")
    assert "worker died again" in (got[1, 0].error or "")


def test_a_result_that_comes_twice_counts_once() -> None:
    got: dict[Pair, CellResult] = {}
    dispatcher = _dispatcher([(0, 0)], got)
    dispatcher.next_stack("a")
    dispatcher.received("a", _done("0-0"))
    dispatcher.received("a", _done("0-0"))
    assert list(got) == [(0, 0)]


def test_a_stack_of_tiny_cells_grows_with_what_the_strategy_has_seen() -> None:
    pairs = [(config, 0) for config in range(5_000)]
    dispatcher = _dispatcher(pairs, {}, slots=2)
    sizes: list[int] = []
    while cells := dispatcher.next_stack(str(len(sizes))):
        dispatcher.received(str(len(sizes)), *(_done(cell.key, seconds=0.01) for cell in cells))
        sizes.append(len(cells))
    assert sum(sizes) == 5_000
    assert sizes[:4] == [1, 16, 16, 16], "the first was asked for before anything was measured"
    for number in range(2, len(sizes)):
        assert sizes[number] <= max(16, sum(sizes[:number]) / 16)
    assert max(sizes) > 200


def test_results_that_come_in_together_are_handed_on_together() -> None:
    handed: list[int] = []
    dispatcher = _dispatcher([(config, 0) for config in range(4)], {}, stack=4)
    dispatcher.work = dataclasses.replace(
        dispatcher.work, on_results=lambda results: handed.append(len(results))
    )
    dispatcher.next_stack("a")
    dispatcher.received("a", *map(_done, ("0-0", "0-0", "1-0", "never asked for")))
    dispatcher.received("a", _done("1-0"))
    dispatcher.ended("a")
    assert handed == [2]


def test_nothing_starts_that_would_end_after_the_deadline() -> None:
    dispatcher = _dispatcher([(0, 0), (1, 0)], {}, stack=1, deadline=time.monotonic() + 50)
    dispatcher.next_stack("a")
    dispatcher.received("a", _done("0-0", seconds=100.0))
    assert dispatcher.next_stack("b") == []
    assert dispatcher.out_of_time


def test_the_strategy_hears_what_the_time_left_allows() -> None:
    dispatcher = _dispatcher(
        [(n, 0) for n in range(9)], {}, stack=1, slots=2, deadline=time.monotonic() + 100
    )
    dispatcher.next_stack("a")
    assert dispatcher.strategy.affordable is None, "nothing measured yet"
    dispatcher.received("a", _done("0-0", seconds=10.0))
    dispatcher.next_stack("b")
    assert dispatcher.strategy.affordable in (17, 18)  # 10 on each of 2 slots, less a tenth


def test_the_strategy_hears_what_cells_under_way_have_had() -> None:
    now = [0.0]
    pairs = [(n, 0) for n in range(9)]
    dispatcher = _dispatcher(pairs, {}, stack=2, slots=2, deadline=100.0, clock=lambda: now[0])
    dispatcher.next_stack("a")
    now[0] = 10.0
    dispatcher.received("a", _done("0-0", seconds=10.0))
    now[0] = 14.0
    dispatcher.next_stack("b")
    assert dispatcher.strategy.time.had == 4.0, "of the second cell of a"
    assert dispatcher.strategy.time.slots == 2
    assert dispatcher.strategy.time.seconds == pytest.approx(0.9 * 2 * 86)
    assert dispatcher.strategy.affordable == 14, "15.5 in all, and 0.6 of one is to come"


def test_a_stack_takes_a_sixteenth_of_the_time_left_or_what_trains_as_one_model() -> None:
    now = [0.0]
    pairs = [(n, 0) for n in range(9)]
    dispatcher = _dispatcher(pairs, {}, slots=8, deadline=100.0, clock=lambda: now[0])
    strategy = dispatcher.strategy
    dispatcher.next_stack("first")
    now[0] = 20.0
    dispatcher.received("first", _done("0-0", seconds=2.0))
    dispatcher.next_stack("second")
    assert strategy.longest == 80 / 16
    dispatcher.best_stack_size(6)
    dispatcher.next_stack("third")
    assert strategy.longest == 6 * 2.0


def test_without_a_deadline_a_stack_may_take_any_time() -> None:
    dispatcher = _dispatcher([(0, 0)], {})
    dispatcher.next_stack("first")
    assert dispatcher.strategy.longest is None


def test_a_cell_that_would_not_end_in_time_leaves_its_place_to_one_that_does() -> None:
    dispatcher = _dispatcher(
        [(n, 0) for n in range(5)], {}, stack=3, slots=1, deadline=100.0, clock=lambda: 60.0
    )
    dispatcher.strategy.likely = {0: 70.0, 1: 10.0, 2: 20.0, 3: 30.0, 4: 70.0}
    assert [cell.key for cell in dispatcher.next_stack("a")] == ["1-0", "2-0"]
    assert [cell.key for cell in dispatcher.next_stack("b")] == ["3-0"]
    assert not dispatcher.out_of_time
    assert dispatcher.next_stack("c") == []
    assert dispatcher.out_of_time


@given(
    pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), unique=True, max_size=30),
    size=st.integers(1, 5),
    losses=st.lists(st.booleans(), max_size=60),
)
def test_every_cell_comes_in_exactly_once_whatever_is_lost(
    pairs: list[Pair], size: int, losses: list[bool]
) -> None:
    got: dict[Pair, CellResult] = {}
    dispatcher = _dispatcher(pairs, got, shape=lambda pair: pair[0] % 3, stack=size, retries=2)
    fate = iter(losses)
    for number in range(len(pairs) * 4 + 1):
        cells = dispatcher.next_stack(str(number))
        if not cells:
            break
        assert len({int(cell.key.split("-")[0]) % 3 for cell in cells}) == 1
        for cell in cells:
            if next(fate, False):
                break
            dispatcher.received(str(number), _done(cell.key))
        dispatcher.ended(str(number), "lost")
    assert set(got) == set(pairs)
    assert dispatcher.idle


def test_a_stack_is_as_large_as_a_worker_finds_best() -> None:
    pairs = [(config, 0) for config in range(200)]
    dispatcher = _dispatcher(pairs, {})
    assert len(dispatcher.next_stack("first")) == 1  # to see what a cell takes
    dispatcher.received("first", _done("0-0", seconds=30.0))
    assert len(dispatcher.next_stack("second")) == 2  # to see whether two take less
    dispatcher.best_stack_size(32)
    assert len(dispatcher.next_stack("third")) == 32
    dispatcher.best_stack_size(1)
    assert len(dispatcher.next_stack("fourth")) == 1


@pytest.mark.parametrize(("cells", "stacks"), [(2, [1, 1]), (5, [3, 1, 1]), (12, [6, 3, 2, 1])])
def test_the_last_cells_are_dealt_to_all_slots(cells: int, stacks: list[int]) -> None:
    features, shapes = np.arange(cells, dtype=float)[:, None], np.zeros(cells, np.int64)
    grid = make_strategy("grid", Problem(features=features, shapes=shapes, blocks=1))
    dispatcher = _dispatcher([], {}, stack=8, slots=2)
    dispatcher.strategy = grid
    # Each takes its share of what is left: a slot that comes in late finds work still.
    assert [len(dispatcher.next_stack(name)) for name in "abcd"[: len(stacks)]] == stacks
    assert dispatcher.next_stack("e") == []


def test_dear_cells_have_small_stacks_beside_cheap_ones() -> None:
    pairs = [*((0, block) for block in range(33)), *((1, block) for block in range(6))]
    dispatcher = _dispatcher(pairs, {}, shape=lambda pair: pair[0], slots=2)
    sizes: dict[str, list[int]] = {"0": [], "1": []}
    number = 0
    while cells := dispatcher.next_stack(str(number)):
        kind = cells[0].key[0]
        sizes[kind].append(len(cells))
        seconds = 0.25 if kind == "0" else 8.0
        dispatcher.received(str(number), *(_done(cell.key, seconds) for cell in cells))
        dispatcher.best_stack_size(16 if kind == "0" else 1, str(number))
        number += 1
    assert sizes == {"0": [1, 16, 16], "1": [2, 1, 1, 1, 1]}


def test_a_slot_asks_for_itself_and_no_cell_waits_for_another_slot() -> None:
    asked: list[tuple[int, int]] = []

    class Counted(Listed):
        def ask(self, n: int, slots: int = 1, seconds: float | None = None) -> list[Pair]:
            asked.append((n, slots))
            return super().ask(n, slots, seconds)

    dispatcher = _dispatcher([], {}, stack=3, slots=4)
    dispatcher.strategy = Counted([(config, 0) for config in range(30)])
    assert len(dispatcher.next_stack("a")) == 3
    assert len(dispatcher.next_stack("b")) == 3
    assert asked == [(3, 4), (3, 4)]
    assert len(dispatcher.strategy.waiting) == 24


def test_cells_of_another_sweep_are_not_trained_and_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SHORTEST_PAUSE_S", 0.0)
    monkeypatch.setattr(module, "_LONGEST_PAUSE_S", 0.0)
    got: dict[Pair, CellResult] = {}
    found: list[Pair] = []
    theirs = {"0-0": "busy", "0-1": "found", "1-1": "busy"}
    asked: list[str] = []

    def claim(cells: Sequence[Cell]) -> Claimed:
        asked.extend(cell.key for cell in cells)
        words = {cell.key: theirs.get(cell.key) for cell in cells}
        return Claimed(
            frozenset(key for key, word in words.items() if word == "found"),
            frozenset(key for key, word in words.items() if word == "busy"),
        )

    dispatcher = _dispatcher([(c, b) for c in (0, 1) for b in (0, 1)], got, stack=4)
    dispatcher.work = dataclasses.replace(dispatcher.work, claim=claim, on_found=found.extend)
    assert [cell.key for cell in dispatcher.next_stack("first")] == ["1-0"]
    assert found == [(0, 1)]
    dispatcher.received("first", CellResult(key="1-0", status="done"))
    dispatcher.ended("first")
    assert dispatcher.next_stack("second") == []
    assert not dispatcher.idle, "the sweep waits for the others' cells"
    theirs.update({"0-0": "found", "1-1": "nobody's"})  # one is done, one was given up
    assert [cell.key for cell in dispatcher.next_stack("third")] == ["1-1"]
    assert found == [(0, 1), (0, 0)]
    dispatcher.received("third", CellResult(key="1-1", status="done"))
    dispatcher.ended("third")
    assert dispatcher.next_stack("fourth") == []
    assert dispatcher.idle
    assert set(got) == {(1, 0), (1, 1)}
