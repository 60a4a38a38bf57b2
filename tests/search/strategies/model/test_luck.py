"""Luck of the rows is told from the noise of training by the folds of a seed."""

from __future__ import annotations

import numpy as np
import pytest

from search.strategies.model.luck import Luck, estimate_luck

ROUNDS = np.repeat(range(4), 5)


def cells(
    rng: np.random.Generator, configs: int, *, rows: int = 200, luck: float, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cells of 4 seeds x 5 folds, and the luck of all rows in each config's mean."""
    of_rows = luck * rng.standard_normal((configs, rows))
    blocks = []
    for _ in range(4):
        fold = rng.permutation(rows) % 5
        blocks += [of_rows[:, fold == part].mean(axis=1) for part in range(5)]
    scores = np.stack(blocks, axis=1)
    return scores + noise * rng.standard_normal(scores.shape), of_rows.mean(axis=1)


@pytest.mark.parametrize(("luck", "noise"), [(1.0, 0.16), (2.0, 0.05), (0.3, 0.2)])
def test_luck_and_training_are_told_apart(luck: float, noise: float) -> None:
    scores, _ = cells(np.random.default_rng(0), 400, luck=luck, noise=noise)
    found = estimate_luck(scores, np.isfinite(scores), ROUNDS, 0.2, 1.0)
    assert found.rows == pytest.approx(luck**2 / 200, rel=0.1, abs=0.1 * noise**2)
    assert found.cell == pytest.approx(luck**2 / 40 + noise**2, rel=0.1)


def test_few_cells_a_config_tell_it_less_sharply() -> None:
    rng = np.random.default_rng(1)
    scores, _ = cells(rng, 300, luck=1.0, noise=0.1)
    scored = np.zeros(scores.shape, bool)
    scored[:, rng.permutation(20)[:6]] = True
    scored[:30] = True
    found = estimate_luck(scores, scored, ROUNDS, 0.2, 1.0)
    assert found.rows == pytest.approx(1 / 200, rel=0.3)


@pytest.mark.parametrize("count", [1, 3, 4, 9, 20])
def test_a_mean_is_as_far_from_fresh_rows_as_it_says(count: int) -> None:
    luck, noise = 1.0, 0.1
    scores, _ = cells(np.random.default_rng(2), 4000, luck=luck, noise=noise)
    # In the order of a protocol, in which no seed is ahead of another.
    order = np.arange(20).reshape(4, 5).T.ravel()[:count]
    said = Luck(luck**2 / 40 + noise**2, luck**2 / 200, 4).of_means(np.array([float(count)]))
    assert scores[:, order].mean(axis=1).var() == pytest.approx(said[0], rel=0.1)


def test_without_folds_the_share_held_out_says_what_is_luck() -> None:
    scores, _ = cells(np.random.default_rng(4), 20, luck=1.0, noise=0.1)
    found = estimate_luck(scores, np.isfinite(scores), None, 0.2, 0.03)
    assert (found.cell, found.rows) == (0.03, pytest.approx(0.03 / 4))
    assert found.of_means(np.array([5.0]))[0] == pytest.approx(0.03 / 5 + 0.03 / 4)


def test_cells_that_are_all_alike_leave_half_of_the_noise_to_luck() -> None:
    found = estimate_luck(np.ones((5, 20)), np.ones((5, 20), bool), ROUNDS, 0.2, 1e-9)
    assert found.rows == pytest.approx(1e-10)


def test_cells_that_repeat_to_the_last_digits_have_the_noise_of_the_model() -> None:
    scores = np.repeat(np.arange(20.0)[:, None], 20, axis=1)
    scores += 1e-12 * np.random.default_rng(5).standard_normal(scores.shape)
    assert estimate_luck(scores, np.isfinite(scores), ROUNDS, 0.2, 0.03).cell == 0.03
