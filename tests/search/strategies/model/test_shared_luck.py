"""Luck that neighbours share is told from luck and noise of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.strategies.board import Problem
from search.strategies.model.features import build_features
from search.strategies.model.shared_luck import follows_axes

ROUNDS = np.repeat(range(4), 5)
POINTS = np.array(list(itertools.product(range(6), range(5))), float)
FEATURES = build_features(Problem(features=POINTS, shapes=np.zeros(30, np.int64), blocks=20))
PARTS = [FEATURES.values[:, 1:][:, FEATURES.groups == each] for each in range(3)]


def residuals(rng: np.random.Generator, shared: tuple[float, ...], own: float) -> np.ndarray:
    """Scores of 4 seeds x 5 folds; 200 rows are lucky along each axis, the pair, and alone."""
    rows = own * rng.standard_normal((30, 200))
    for variance, part in zip(shared, PARTS, strict=True):
        rows += np.sqrt(variance) * part @ rng.standard_normal((part.shape[1], 200))
    scores = []
    for _ in range(4):
        fold = rng.permutation(200) % 5
        scores += [rows[:, fold == number].mean(axis=1) for number in range(5)]
    return np.stack(scores, axis=1) + 0.1 * rng.standard_normal((30, 20))


@pytest.mark.parametrize(("shared", "own"), [((1.0, 0.0, 0.0), 0.3), ((0.5, 0.3, 0.5), 1.0)])
def test_each_axis_has_its_part_of_a_cells_luck(shared: tuple[float, ...], own: float) -> None:
    rng = np.random.default_rng(0)
    scored = np.ones((30, 20), bool)
    scored[::4, 15:] = False
    found = np.mean(
        [follows_axes(residuals(rng, shared, own), scored, PARTS, ROUNDS, 0.2) for _ in range(60)],
        axis=0,
    )
    # A cell is the mean of 40 rows.
    np.testing.assert_allclose(40 * found, shared, rtol=0.15, atol=0.06)


def test_of_what_is_each_config_s_own_next_to_nothing_is_shared() -> None:
    rng = np.random.default_rng(1)
    scored = np.ones((30, 20), bool)
    found = [
        follows_axes(residuals(rng, (0.0,) * 3, 1.0), scored, PARTS, ROUNDS, 0.2) for _ in range(30)
    ]
    assert np.max(np.mean(found, axis=0)) < 0.1 / 40


def test_a_block_with_two_configs_tells_nothing() -> None:
    scored = np.zeros((30, 20), bool)
    scored[:2] = True
    scores = residuals(np.random.default_rng(2), (1.0, 1.0, 1.0), 1.0)
    assert not follows_axes(scores, scored, PARTS, None, 0.2).any()
