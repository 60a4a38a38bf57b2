"""The surrogate against a dense oracle, and what it must recover."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.strategies.board import FAILED, TOLD, Board
from search.strategies.model.belief import p_best
from search.strategies.model.features import build_features
from search.strategies.model.surrogate import believe
from search.strategies.strategy import Problem


def grid(levels: tuple[int, ...], blocks: int = 4, **rest) -> Problem:
    points = np.array(list(itertools.product(*map(range, levels))), float)
    return Problem(features=points, shapes=np.zeros(len(points), np.int64), blocks=blocks, **rest)


def tell_some(problem: Problem, scores: np.ndarray, cells: int, seed: int = 0) -> Board:
    board = Board(problem)
    chosen = np.random.default_rng(seed).permutation(scores.size)[:cells]
    for config, block in zip(*np.unravel_index(chosen, scores.shape), strict=True):
        board.set(int(config), int(block), TOLD, float(scores[config, block]))
    return board


def noisy(problem: Problem, truth: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    effects = np.linspace(-1, 1, problem.blocks)
    return truth[:, None] + effects + noise * rng.standard_normal((len(truth), problem.blocks))


def test_the_weights_are_the_generalised_least_squares_of_single_cells():
    problem = grid((4, 5))
    truth = np.sin(problem.features[:, 0]) + 0.3 * problem.features[:, 1]
    board = tell_some(problem, noisy(problem, truth, 0.3), cells=45)
    features = build_features(problem)
    # One iteration uses the starting variances: noise 0.5, rough 0.05, shares of 0.3 in spread
    # units.
    belief = believe(features, board, iterations=1)
    unit = board.scores[board.state == TOLD].std()
    prior = np.concatenate(
        [[10.0], 0.3 * features.prior[features.groups], np.full(problem.blocks, 0.3)]
    )
    weights = belief.weights / unit
    config, block = np.nonzero(board.state == TOLD)
    values = (board.scores[config, block] - board.scores[board.state == TOLD].mean()) / unit
    design = np.concatenate([features.values[config], np.eye(problem.blocks)[block]], axis=1)
    covariance = 0.05 * (config[:, None] == config) + 0.5 * np.eye(len(config))
    precision = design.T @ np.linalg.solve(covariance, design) + np.diag(1 / prior)
    expected = np.linalg.solve(precision, design.T @ np.linalg.solve(covariance, values))
    np.testing.assert_allclose(weights, expected, atol=1e-9)


def test_the_spread_of_the_draws_and_their_mean_are_the_posterior_s():
    problem = grid((5, 6))
    truth = 0.2 * problem.features.sum(axis=1)
    board = tell_some(problem, noisy(problem, truth, 0.2), cells=60)
    belief = believe(build_features(problem), board)
    draws = belief.draw(20_000, np.random.default_rng(0))
    np.testing.assert_allclose(draws.mean(axis=1), belief.mean, atol=0.02)
    # A calibrated posterior: errors, block effects apart, about as large as it says.
    errors = (belief.mean - truth) - (belief.mean - truth).mean()
    contrasts = draws - draws.mean(axis=0)
    assert 0.5 < errors.std() / contrasts.std(axis=1).mean() < 1.5


def test_variances_and_block_effects_come_back_from_the_data():
    problem = grid((10, 10), blocks=8)
    rng = np.random.default_rng(1)
    truth = np.cos(problem.features[:, 0] / 3) + 0.5 * rng.standard_normal(100)
    scores = noisy(problem, truth, noise=0.25)
    belief = believe(build_features(problem), tell_some(problem, scores, 600), iterations=40)
    assert belief.noise_sd == pytest.approx(0.25, rel=0.1)
    assert belief.rough_sd == pytest.approx(0.5, rel=0.25)
    np.testing.assert_allclose(
        belief.blocks - belief.blocks.mean(), np.linspace(-1, 1, 8), atol=0.06
    )


def test_a_config_never_tried_takes_after_its_neighbours():
    problem = grid((12,), blocks=3)
    truth = np.square(problem.features[:, 0] - 7) * -0.05
    board = Board(problem)
    scores = noisy(problem, truth, 0.02)
    for config, block in itertools.product([c for c in range(12) if c != 7], range(3)):
        board.set(config, block, TOLD, scores[config, block])
    belief = believe(build_features(problem), board)
    assert belief.mean.argmax() in (6, 7, 8)
    assert abs(belief.mean[7] - truth[7]) < 0.15


def test_shift_and_unit_of_the_scores_change_nothing_but_shift_and_unit():
    problem = grid((4, 5))
    scores = noisy(problem, problem.features[:, 0], 0.5)
    features = build_features(problem)
    one = believe(features, tell_some(problem, scores, 40))
    two = believe(features, tell_some(problem, 7 + 100 * scores, 40))
    np.testing.assert_allclose(two.mean, 7 + 100 * one.mean, rtol=1e-6)
    assert two.noise_sd == pytest.approx(100 * one.noise_sd)


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_clear_best_has_nearly_all_the_probability(mode):
    problem = grid((5, 4), mode=mode)
    truth = np.zeros(20)
    truth[13] = problem.sign * 5
    belief = believe(build_features(problem), tell_some(problem, noisy(problem, truth, 0.1), 80))
    shares = p_best([belief], problem)
    assert shares.sum() == pytest.approx(1)
    assert shares.argmax() == 13
    assert shares[13] > 0.95


@pytest.mark.parametrize("levels", [(1,), (1, 1), (2,), (3, 1, 2)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_axes_of_one_value_and_single_blocks_do_no_harm(levels, blocks):
    problem = grid(levels, blocks=blocks)
    board = tell_some(problem, noisy(problem, np.arange(len(problem.features)) * 1.0, 0.1), 2)
    belief = believe(build_features(problem), board)
    assert np.isfinite(belief.mean).all()
    assert np.isfinite(belief.draw(5, np.random.default_rng(0))).all()


def test_equal_scores_everywhere_give_equal_beliefs():
    problem = grid((3, 3))
    belief = believe(build_features(problem), tell_some(problem, np.full((9, 4), 0.5), 20))
    np.testing.assert_allclose(belief.mean, 0.5, atol=1e-9)


def test_inert_and_unordered_axes_become_features_of_no_and_of_equal_weight():
    points = np.array([[0, 0], [1, 1], [2, 2], [np.nan, 0]], float)
    problem = Problem(features=points, shapes=np.zeros(4, np.int64), blocks=2, unordered=(1,))
    features = build_features(problem)
    main = features.values[:, 1:][:, features.groups == 0]
    assert not main[3].any()
    assert main[:3].any()


def test_a_large_space_gets_fewer_features():
    few = build_features(grid((40, 40, 40)))
    assert few.values.shape == (64_000, 41)


def test_a_board_without_scores_is_refused():
    problem = grid((3,))
    board = Board(problem)
    board.set(0, 0, FAILED)
    with pytest.raises(ValueError, match="at least one cell that was told"):
        believe(build_features(problem), board)
