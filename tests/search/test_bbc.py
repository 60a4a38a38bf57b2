"""BBC-CV against a plain loop and against what it is for: the winner's luck."""

from __future__ import annotations

import numpy as np
import pytest

from search.bbc import accuracy_scorer, bbc_cv


def test_it_is_the_bootstrap_of_the_paper_written_as_loops():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 2, 30), rng.integers(0, 2, (4, 2, 30))
    got = bbc_cv(accuracy_scorer(labels, predicted), rows=30, draws=40, seed=7)

    stream, scores = np.random.default_rng(7), []
    for _ in range(40):
        drawn = stream.integers(30, size=30)
        left = [row for row in range(30) if row not in drawn]
        in_bag = [
            np.mean([(predicted[c, s, drawn] == labels[drawn]).mean() for s in range(2)])
            for c in range(4)
        ]
        best = int(np.argmax(in_bag))
        scores.append(np.mean([(predicted[best, s, left] == labels[left]).mean() for s in (0, 1)]))
    assert got.mean == pytest.approx(np.mean(scores), abs=1e-12)
    assert got.low == pytest.approx(np.quantile(scores, 0.025), abs=1e-12)
    assert got.high == pytest.approx(np.quantile(scores, 0.975), abs=1e-12)


def test_the_best_of_many_coin_flippers_is_worth_a_half():
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 2, 200), rng.integers(0, 2, (100, 1, 200))
    naive = (predicted[:, 0] == labels).mean(axis=1).max()
    got = bbc_cv(accuracy_scorer(labels, predicted), rows=200, draws=200)
    assert naive > 0.57
    assert abs(got.mean - 0.5) < 0.4 * (naive - 0.5)


def test_one_config_needs_no_correction():
    rng = np.random.default_rng(2)
    labels, predicted = rng.integers(0, 3, 300), rng.integers(0, 3, (1, 4, 300))
    got = bbc_cv(accuracy_scorer(labels, predicted), rows=300)
    assert got.mean == pytest.approx((predicted == labels).mean(), abs=0.005)


def test_shapes_and_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"predicted must be \(configs, seeds, 3 rows\)"):
        accuracy_scorer(np.zeros(3, np.int64), np.zeros((2, 3), np.int64))
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        bbc_cv(lambda weights: weights, rows=1)
