"""What a race may still spend, and whom it can still complete."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.benchmark import replay
from search.strategies.budget import Budget, TimeLeft, last_seat, seats
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import Believer
from search.strategies.named import make_strategy
from search.strategies.strategy import Board, Problem

POINTS = np.array(list(itertools.product(range(4), range(5), range(5))), float)
PROBLEM = Problem(
    features=POINTS, shapes=np.zeros(100, np.int64), blocks=20, floor=(0,), unit="points"
)
# A step of the first axis is two and a half times the seconds.
SECONDS = 0.1 * 2.5 ** POINTS[:, 0]


def test_cells_under_way_are_paid_and_what_they_have_had_is_not_paid_twice() -> None:
    strategy = make_strategy("race", PROBLEM)
    for config in range(10):
        strategy.tell(config, 0, 0.5, 2.0)
    strategy.ask(5)
    budget = Budget(PROBLEM, build_features(PROBLEM), None)
    for had, left in ((0.0, 25.0), (4.0, 27.0), (1000.0, 30.0)):
        budget.afford(100, TimeLeft(60.0, had))
        assert budget.left(strategy.board, budget.prices(strategy.board)) == pytest.approx(left)


def test_where_cells_are_counted_all_cost_the_same() -> None:
    board = Board(PROBLEM)
    budget = Budget(PROBLEM, build_features(PROBLEM), 300)
    cells = np.array([[0, 0], [1, 0], [2, 0]])
    assert (budget.prices(board) == 1).all()
    assert budget.left(board, budget.prices(board)) == 300
    assert budget.within(cells, 100 * np.ones(100), 1.0) is cells
    budget.afford(50, TimeLeft(10.0))
    assert budget.within(cells, np.arange(100.0), 2.0).tolist() == [[0, 0], [1, 0]]


@given(
    cost=st.lists(st.floats(0, 20), min_size=1, max_size=30),
    left=st.floats(0, 100),
    most=st.integers(1, 5),
    waiting=st.sampled_from([0, 1, 7]),
)
def test_whoever_has_a_seat_can_be_completed(
    cost: list[float], left: float, most: int, waiting: int
) -> None:
    ranked = np.arange(len(cost))
    waits = waiting * np.array(cost) / 20
    found = seats(ranked, np.array(cost), left, most, waits)
    assert len(found) <= most
    assert sum(cost[config] for config in found) <= left + 1e-9
    assert len(found) or min(cost) > left
    if len(found) > 1:
        assert sum(cost[config] for config in found) + max(waits[found]) <= left + 1e-9


def test_the_last_seat_is_that_of_the_one_that_lacks_least_among_equals() -> None:
    strategy = make_strategy("race", PROBLEM)
    rng = np.random.default_rng(0)
    for config in range(100):
        cells = {7: 15, 8: 12, 9: 18}.get(config, 1)
        center = 0.2 if config == 9 else 0.6
        for block in range(cells):
            strategy.tell(config, block, center + 0.02 * float(rng.normal()))
    believer = Believer(PROBLEM)
    belief = believer.belief(strategy.board)
    cost = 20.0 - np.isfinite(strategy.board.scores).sum(axis=1)
    ranked = np.argsort(-belief.mean)
    chosen = last_seat(belief, belief.mean, ranked, cost, 10.0, 3, np.zeros(100))
    assert chosen.tolist() == [7], "9 lacks less, and is told to be worse"
    assert last_seat(belief, belief.mean, ranked, cost, 3.0, 3, np.zeros(100)).tolist() == [9]


@pytest.mark.parametrize(("most", "count"), [(0.01, 1), (1.6, 1), (4.0, 2), (1000.0, None)])
def test_cells_of_an_ask_take_the_seconds_that_a_stack_may_have(
    most: float, count: int | None
) -> None:
    free, bound = (make_strategy("race", PROBLEM, max_cells=1000) for _ in range(2))
    for strategy in (free, bound):
        for block in range(20):
            strategy.tell(0, block, 0.5, float(SECONDS[0]))
        for config in range(1, 100):
            # The dear ones are the best.
            strategy.tell(config, 0, 0.5 + 0.1 * POINTS[config, 0], float(SECONDS[config]))
        strategy.afford(500, TimeLeft(500.0))
    cells = free.ask(8, slots=2)
    assert len(cells) > 2
    assert [bound.seconds_of(config) for config, _ in cells] == pytest.approx([1.5625] * len(cells))
    assert bound.ask(8, slots=2, seconds=most) == cells[:count]


def test_an_ask_has_no_bound_while_nothing_says_what_cells_take() -> None:
    assert len(make_strategy("race", PROBLEM).ask(8, slots=2, seconds=0.01)) == 8


def test_a_cell_is_not_split_among_slots() -> None:
    cost, ranked = np.array([20.0, 10.0]), np.arange(2)
    budget = Budget(PROBLEM, build_features(PROBLEM), None)
    assert (budget.waits(cost, cost / 10) == 0).all()
    budget.afford(100, TimeLeft(60.0, slots=8))
    waits = budget.waits(cost, cost / 10)
    assert waits.tolist() == [14.0, 7.0]
    assert budget.waits(np.zeros(2), cost / 10).tolist() == [0.0, 0.0], "nothing is waited for"
    assert seats(ranked, cost, 34.0, 2, waits).tolist() == [0]
    assert seats(ranked, cost, 33.0, 2, waits).tolist() == [1], "the first might come too late"
    assert seats(ranked, cost, 11.0, 2, waits).tolist() == [1], "it is that one or nobody"


@pytest.mark.parametrize("slots", [1, 2, 8, 12])
@pytest.mark.parametrize("stack", [16, "auto"])
def test_a_race_against_the_clock_completes_somebody(
    slots: int, stack: Literal["auto"] | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_START_S", 0.0)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        truth = 0.02 * POINTS[:, 0] - 0.01 * np.square(POINTS[:, 1] - 2)  # the dear are the best
        scores = truth[:, None] + rng.normal(0, 0.01, 20) + rng.normal(0, 0.02, (100, 20))
        seconds = np.repeat(SECONDS[:, None], 20, axis=1)
        dealt = replay.Deal(PROBLEM, scores, truth, np.arange(4), seconds)
        strategy = make_strategy("race", PROBLEM, seed=seed, max_cells=2000)
        deadline = 0.05 * float(seconds.sum()) / slots
        played = replay.play_in_slots(dealt, strategy, stack, slots, deadline)
        assert played.complete > 1, seed
        assert played.clock <= deadline
