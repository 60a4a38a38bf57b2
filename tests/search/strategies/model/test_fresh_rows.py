"""Beliefs on fresh rows: what is taken off as luck, and how sure they are of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.strategies.board import FAILED, Board, Problem
from search.strategies.model.belief import Belief, p_best
from search.strategies.model.features import build_features
from search.strategies.model.fresh_rows import expected, on_fresh_rows
from search.strategies.model.surrogate import believe

ROUNDS = np.repeat(range(4), 5)


def grid(levels: tuple[int, ...]) -> Problem:
    points = np.array(list(itertools.product(*map(range, levels))), float)
    shapes = np.zeros(len(points), np.int64)
    return Problem(features=points, shapes=shapes, blocks=20, rounds=tuple(ROUNDS.tolist()))


def sweep(
    problem: Problem, quality: np.ndarray, luck: float, rng: np.random.Generator
) -> np.ndarray:
    """Scores of 4 seeds x 5 folds: 200 rows, lucky for neighbours together, and training."""
    features = build_features(problem).values[:, 1:9]
    features = features / np.sqrt(np.square(features).sum(axis=1).mean())
    rows = quality[:, None] + luck * features @ rng.standard_normal((features.shape[1], 200))
    scores = []
    for _ in range(4):
        fold = rng.permutation(200) % 5
        scores += [rows[:, fold == part].mean(axis=1) for part in range(5)]
    return np.stack(scores, axis=1) + 0.05 * rng.standard_normal((len(quality), 20))


def fresh(problem: Problem, scores: np.ndarray) -> tuple[Belief, tuple[Belief, ...]]:
    board = Board.of(problem, scores)
    belief = believe(build_features(problem), board)
    return belief, on_fresh_rows(belief, board, 0.2, bool(np.isfinite(scores).all()))


@pytest.mark.parametrize("finished", [True, False])
def test_what_is_expected_is_the_mean_of_the_draws(finished: bool) -> None:
    problem, rng = grid((5, 6)), np.random.default_rng(0)
    scores = sweep(problem, 0.02 * problem.features.sum(axis=1), 1.0, rng)
    if not finished:
        scores[::2, 7:] = np.nan
    belief, found = fresh(problem, scores)
    assert (len(found) > 1) == finished
    draws = [each.draw(20_000, rng).mean(axis=1) for each in found]
    np.testing.assert_allclose(np.mean(draws, axis=0), expected(found), atol=0.003)
    # The best is less far above the others than on the rows that it was the best on.
    assert np.ptp(expected(found)) < np.ptp(belief.mean)


def test_of_a_finished_grid_luck_goes_and_quality_stays() -> None:
    problem, rng = grid((6, 5)), np.random.default_rng(1)
    quality = 0.3 * np.sin(problem.features[:, 0])
    scores = sweep(problem, quality, 0.3, rng)
    belief, found = fresh(problem, scores)
    means = expected(found)
    assert np.corrcoef(means, quality)[0, 1] > 0.98
    assert np.ptp(means) > 0.8 * np.ptp(quality)
    # Along the other axis there is luck alone.
    others = means.reshape(6, 5) - means.reshape(6, 5).mean(axis=1, keepdims=True)
    seen = belief.mean.reshape(6, 5) - belief.mean.reshape(6, 5).mean(axis=1, keepdims=True)
    assert others.std() < 0.8 * seen.std()


def test_beliefs_differ_in_how_much_is_quality_where_the_cells_do_not_tell() -> None:
    problem, rng = grid((4, 3)), np.random.default_rng(2)
    _, unsure = fresh(problem, sweep(problem, np.zeros(12), 1.0, rng))
    _, sure = fresh(problem, sweep(problem, problem.features[:, 0], 0.1, rng))
    first = np.flatnonzero(build_features(problem).groups == 0)[0]
    apart = [
        np.ptp([each.kept[first] for each in found if each.kept is not None])
        for found in (unsure, sure)
    ]
    assert apart[0] > 0.5
    assert apart[1] < 0.05
    assert p_best(unsure, problem).max() < 0.6
    assert p_best(sure, problem)[problem.features[:, 0] == 3].sum() > 0.99


def test_neither_a_failed_config_nor_equal_scores_stop_them() -> None:
    problem, rng = grid((4, 4)), np.random.default_rng(3)
    scores = sweep(problem, problem.features[:, 1], 0.2, rng)
    board = Board.of(problem, scores)
    for block in range(3, 20):
        board.set(5, block, FAILED)
    belief = believe(build_features(problem), board)
    shares = p_best(on_fresh_rows(belief, board, 0.2, True), problem)
    assert shares.sum() == pytest.approx(1)
    assert shares[problem.features[:, 1] == 3].sum() > 0.99

    _, found = fresh(problem, np.full((16, 20), 0.5))
    np.testing.assert_allclose(expected(found), 0.5, atol=1e-6)
    np.testing.assert_allclose(p_best(found, problem), 1 / 16, atol=0.03)


def test_configs_on_no_axis_are_told_apart_by_their_own_cells() -> None:
    points, rng = np.full((12, 1), np.nan), np.random.default_rng(4)
    problem = Problem(features=points, shapes=np.zeros(12, np.int64), blocks=20)
    scores = np.arange(12)[:, None] + rng.standard_normal((12, 20))
    _, found = fresh(problem, scores)
    assert p_best(found, problem).argmax() == 11
    assert (np.diff(expected(found)) > 0).all()
