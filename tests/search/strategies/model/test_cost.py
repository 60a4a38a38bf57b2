"""Seconds of cells are learned from the axes, and a race against the clock spends them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.strategies.budget import TimeLeft
from search.strategies.model.cost import predict_seconds
from search.strategies.model.features import build_features
from search.strategies.named import make_strategy
from search.strategies.strategy import Problem

POINTS = np.array(list(itertools.product(range(4), range(5), range(5))), float)
PROBLEM = Problem(features=POINTS, shapes=np.zeros(100, np.int64), blocks=20)
# The first axis is a number of epochs: each step takes four times as long.
SECONDS = 0.1 * 4.0 ** POINTS[:, 0]


def test_what_untried_configs_take_follows_from_their_axes() -> None:
    strategy = make_strategy("grid", PROBLEM)
    assert predict_seconds(build_features(PROBLEM), strategy.board) is None
    for config in np.random.default_rng(0).permutation(100)[:30].tolist():
        strategy.tell(config, 0, 0.5, float(SECONDS[config]))
    guess = predict_seconds(build_features(PROBLEM), strategy.board)
    assert guess is not None
    gaps = np.abs(np.log(guess / SECONDS))
    assert np.median(gaps) < 0.1
    assert gaps.max() < 1.0, "a step of this axis is 1.4"


def spend(hours_as_seconds: float, telling: bool, seed: int) -> tuple[float, int]:
    """Regret and complete configs of a race with so many seconds in one slot."""
    rng = np.random.default_rng(seed)
    centred = (POINTS - POINTS.mean(axis=0)) / POINTS.std(axis=0)
    truth = -0.01 * np.square(centred - rng.normal(0, 0.5, 3)).sum(axis=1)
    truth -= 0.01 * POINTS[:, 0]  # the dear ones are not the best
    scores = truth[:, None] + rng.normal(0, 0.01, 20) + rng.normal(0, 0.02, (100, 20))
    strategy = make_strategy("race", PROBLEM, seed=seed, max_cells=2000)
    left, took = hours_as_seconds, []
    while left > 0:
        if took:
            cells = int(0.9 * left / np.mean(took[-50:]))
            strategy.afford(cells, TimeLeft(0.9 * left) if telling else None)
        asked = strategy.ask(8)
        if not asked:
            break
        for config, block in asked:
            left -= SECONDS[config]
            took.append(SECONDS[config])
            if left > 0:
                strategy.tell(config, block, float(scores[config, block]), float(SECONDS[config]))
    winner = strategy.winner()
    regret = 0.1 if winner is None else float(truth.max() - truth[winner])
    return regret, int(strategy.board.complete().sum())


def test_a_race_that_counts_seconds_is_no_worse_than_one_that_counts_cells() -> None:
    by_seconds = [spend(100.0, True, seed) for seed in range(12)]
    by_cells = [spend(100.0, False, seed) for seed in range(12)]
    assert sum(not complete for _, complete in by_seconds) <= 1
    assert np.mean([r for r, _ in by_seconds]) < np.mean([r for r, _ in by_cells])


def test_where_all_cells_cost_the_same_seconds_change_nothing() -> None:
    asked = []
    for seconds in (None, 600.0):
        strategy = make_strategy("race", PROBLEM, max_cells=2000)
        for config in range(0, 100, 2):
            strategy.tell(config, 0, float(np.sin(config)), 2.0)
        strategy.afford(300, None if seconds is None else TimeLeft(seconds))
        asked.append(strategy.ask(16))
    assert asked[0] == asked[1]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), None])
def test_a_time_that_means_nothing_is_not_counted(seconds: float | None) -> None:
    strategy = make_strategy("grid", PROBLEM)
    strategy.tell(0, 0, 0.5, seconds)
    assert not strategy.board.timed.any()
