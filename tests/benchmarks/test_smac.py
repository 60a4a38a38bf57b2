"""The SMAC3 peer: the contract of a strategy, and that its shortcuts change no number."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from peers.smac import Smac, smac
from smac.model.random_forest.random_forest import RandomForest

from search.strategies.strategy import Problem

# SMAC's own: sklearn's parallel loop beside joblib's settings, ConfigSpace's numpy scalars.
pytestmark = pytest.mark.filterwarnings("default")


def grid(levels: tuple[int, ...], blocks: int, keep=slice(None), **rest) -> Problem:
    features = np.array(list(itertools.product(*(range(n) for n in levels))), float)[keep]
    return Problem(
        features=features, shapes=np.zeros(len(features), np.int64), blocks=blocks, **rest
    )


def play(problem: Problem, scores: np.ndarray, budget: int, seed: int = 0):
    strategy = smac(problem, seed, budget)
    asked = []
    while cells := strategy.ask(16):
        asked += cells
        for config, block in cells:
            value = float(scores[config, block])
            strategy.tell(config, block, value if np.isfinite(value) else None)
    return strategy, asked


def hill(problem: Problem, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    """Best where every axis is highest."""
    rng = np.random.default_rng(seed)
    known = np.nan_to_num(problem.features)
    truth = (known / known.max(axis=0)).sum(axis=1)
    size = (problem.configs, problem.blocks)
    return truth[:, None] + rng.normal(size=problem.blocks) + noise * rng.normal(size=size)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_smac_never_asks_a_cell_twice_keeps_its_budget_and_climbs_the_hill(mode):
    problem = grid((4, 4, 3), 6, mode=mode, unordered=(2,), floor=(3,))
    strategy, asked = play(problem, problem.sign * hill(problem), 100)
    assert len(set(asked)) == len(asked) <= 100
    assert strategy.board.complete()[3]  # the floor
    assert strategy.winner() >= problem.configs - 4


def test_smac_races_a_clearly_worse_config_out_after_few_blocks():
    problem = grid((6, 6), 12)
    strategy, _ = play(problem, hill(problem, noise=0.001), 120)
    told = (strategy.board.state == 2).sum(axis=1)
    assert told[strategy.winner()] == 12
    assert np.median(told[told > 0]) <= 2


def test_a_table_with_gaps_and_inert_axes_can_be_played():
    problem = grid((4, 4, 3), 5, keep=np.arange(48) % 5 != 0)
    problem.features[::7, 1] = np.nan
    strategy, asked = play(problem, hill(problem), 90)
    assert len(set(asked)) == len(asked) <= 90
    assert strategy.winner() is not None


def test_failed_cells_do_not_stop_smac():
    problem = grid((4, 4), 5)
    scores = hill(problem)
    scores[::3] = np.nan
    strategy, _ = play(problem, scores, 60)
    assert not np.isnan(scores[strategy.winner()]).any()


def test_the_fast_forest_predicts_what_smac_s_own_does():
    problem = grid((4, 4), 5)
    strategy = Smac(problem, 0, 60)
    forest = strategy._facade._model
    rng = np.random.default_rng(0)
    points = np.array([point.get_array() for point in strategy._points()])
    rows = np.hstack([points.repeat(5, axis=0), np.tile(np.arange(5.0), 16)[:, None]])
    forest.train(rows[::2], rng.random((40, 1)))
    mean, variance = forest.predict_marginalized(points)
    own_mean, own_variance = RandomForest.predict_marginalized(forest, points)
    np.testing.assert_allclose(mean, own_mean, rtol=1e-6)
    np.testing.assert_allclose(variance, own_variance, rtol=1e-6)
    assert np.ptp(mean) > 0.05


def test_room_for_fewer_leaves_grows_the_same_trees():
    problem = grid((4, 4), 5)
    rng = np.random.default_rng(0)
    forest = Smac(problem, 0, 60)._facade._model
    points, values = rng.random((50, 3)), rng.random((50, 1))
    predictions = []
    for leaves in (62, 2**20):
        forest._rf_opts["max_leaf_nodes"] = leaves
        predictions.append(forest.train(points, values).predict(points[:9])[0])
    np.testing.assert_array_equal(*predictions)


def test_a_baseline_beyond_the_axes_is_not_taken_for_every_point():
    problem = grid((4, 4, 3), 4)
    features = np.vstack([np.full((1, 3), np.nan), problem.features])
    shapes = np.zeros(len(features), np.int64)
    problem = Problem(features=features, shapes=shapes, blocks=4, floor=(0,))
    scores = np.vstack([np.zeros((1, 4)), hill(grid((4, 4, 3), 4))])
    strategy, asked = play(problem, scores, 60)
    assert len({config for config, _ in asked}) > 10
    assert strategy.winner() != 0
