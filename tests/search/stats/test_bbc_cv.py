"""BBC-CV against a plain loop and against what it is for: the winner's luck."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from sklearn.metrics import f1_score

from search.stats.bbc_cv import accuracy_scorer, bbc_cv, metric_scorer, pair_factor
from trainables.metrics.accuracy import accuracy


def one_hot(predicted: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (..., rows, classes) of hard predictions (..., rows)."""
    return np.eye(classes, dtype=np.float32)[predicted]


def test_it_is_the_bootstrap_of_the_paper_written_as_loops():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 2, 30), rng.integers(0, 2, (4, 2, 30))
    scorer = accuracy_scorer(labels, one_hot(predicted, 2))
    got = bbc_cv(scorer, 4, np.arange(30), draws=40, seed=7)

    stream, scores, shares = np.random.default_rng(7), [], []
    for _ in range(40):
        drawn = stream.integers(30, size=30)
        left = [row for row in range(30) if row not in drawn]
        shares.append(len(left) / 30)
        in_bag = [
            np.mean([(predicted[c, s, drawn] == labels[drawn]).mean() for s in range(2)])
            for c in range(4)
        ]
        best = int(np.argmax(in_bag))
        scores.append(np.mean([(predicted[best, s, left] == labels[left]).mean() for s in (0, 1)]))
    assert got.mean == pytest.approx(np.mean(scores), abs=1e-12)
    # Of a share of the rows; the interval is that of all.
    out = np.mean(shares)
    narrower = np.sqrt(out / (1 - out))
    for end, tail in ((got.low, 0.025), (got.high, 0.975)):
        gap = np.quantile(scores, tail) - np.mean(scores)
        assert end == pytest.approx(np.mean(scores) + narrower * gap, abs=1e-12)


def test_the_interval_is_as_wide_as_all_rows_allow_and_no_wider():
    # One config, right on 70% of 1,000 rows: its score's standard error is known.
    labels = np.zeros(1000, np.int64)
    predicted = (np.arange(1000) >= 700).astype(int)[None, None]
    got = bbc_cv(accuracy_scorer(labels, one_hot(predicted, 2)), 1, np.arange(1000), draws=2000)
    expected = 2 * 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    assert got.high - got.low == pytest.approx(expected, rel=0.06)


def test_copies_of_a_text_are_drawn_together():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 12, 30)
    seen = []

    def scorer(counts, configs):
        seen.append(counts)
        return np.zeros(len(configs))

    bbc_cv(scorer, 3, groups, draws=20)
    assert len(seen) >= 40
    for counts in seen:
        for group in np.unique(groups):
            assert len(set(counts[groups == group])) == 1
    for bag, out in zip(seen[::2], seen[1::2], strict=True):
        np.testing.assert_array_equal(out == 1, bag == 0)


@pytest.mark.parametrize("average", ["macro", "weighted"])
def test_any_metric_is_that_metric_of_the_drawn_rows(average):
    rng = np.random.default_rng(4)
    labels, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (3, 2, 60))
    metric = importlib.import_module(f"trainables.metrics.{average}_f1").METRIC
    scorer = metric_scorer(labels, one_hot(predicted, 3), metric)
    counts = np.bincount(rng.integers(60, size=60), minlength=60)
    got = scorer(counts, np.arange(3))
    expected = [
        np.mean(
            [
                f1_score(labels, predicted[c, s], average=average, sample_weight=counts)
                for s in range(2)
            ]
        )
        for c in range(3)
    ]
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_accuracy_by_its_own_scorer_is_accuracy_by_any_metrics():
    rng = np.random.default_rng(5)
    labels, given = rng.integers(0, 3, 40), rng.random((3, 2, 40, 3), dtype=np.float32)
    counts = np.bincount(rng.integers(40, size=40), minlength=40)
    quick = accuracy_scorer(labels, given)(counts, np.arange(3))
    np.testing.assert_allclose(
        quick, metric_scorer(labels, given, accuracy)(counts, np.arange(3)), atol=1e-12
    )


def test_where_low_is_good_the_lowest_is_picked():
    rng = np.random.default_rng(6)
    labels, given = rng.integers(0, 2, 50), rng.random((5, 1, 50, 2), dtype=np.float32)

    def error(truth, probabilities):
        return 1 - accuracy(truth, probabilities)

    up = bbc_cv(metric_scorer(labels, given, accuracy), 5, np.arange(50), draws=30)
    down = bbc_cv(metric_scorer(labels, given, error), 5, np.arange(50), sign=-1.0, draws=30)
    assert down.mean == pytest.approx(1 - up.mean, abs=1e-12)
    assert (down.low, down.high) == pytest.approx((1 - up.high, 1 - up.low), abs=1e-12)


def test_the_best_of_many_coin_flippers_is_worth_a_half():
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 2, 200), rng.integers(0, 2, (100, 1, 200))
    naive = (predicted[:, 0] == labels).mean(axis=1).max()
    scorer = accuracy_scorer(labels, one_hot(predicted, 2))
    got = bbc_cv(scorer, 100, np.arange(200), draws=200)
    assert naive > 0.57
    assert abs(got.mean - 0.5) < 0.4 * (naive - 0.5)


def test_one_config_needs_no_correction():
    rng = np.random.default_rng(2)
    labels, predicted = rng.integers(0, 3, 300), rng.integers(0, 3, (1, 4, 300))
    got = bbc_cv(accuracy_scorer(labels, one_hot(predicted, 3)), 1, np.arange(300))
    assert got.mean == pytest.approx((predicted == labels).mean(), abs=0.005)


def test_shapes_and_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"probabilities must be .*3 rows, classes"):
        accuracy_scorer(np.zeros(3, np.int64), np.zeros((2, 3, 2), np.float32))
    with pytest.raises(ValueError, match="at least 2 different rows, got 1"):
        bbc_cv(lambda counts, configs: counts, 2, np.zeros(5, np.int64))


def test_rows_that_test_one_another_s_models_have_more_luck_than_as_many_coins():
    # Labels at random: the truth is a half, whatever a least-squares classifier learns.
    rng = np.random.default_rng(0)
    rows, words, folds = 120, 12, 5
    by_rows, by_pairs, factors = [], [], []
    for _ in range(400):
        values, labels = rng.normal(size=(rows, words)), rng.choice([-1.0, 1.0], rows)
        right = np.empty((3, rows), bool)
        for seed in range(3):
            fold = rng.permutation(rows) % folds
            for held in range(folds):
                train, out = fold != held, fold == held
                weights = np.linalg.lstsq(values[train], labels[train], rcond=None)[0]
                right[seed, out] = values[out] @ weights * labels[out] > 0
        deviation = right.mean(axis=0).std() / rows**0.5
        factors.append(pair_factor(right, folds))
        error = abs(right.mean() - 0.5)
        by_rows.append(error < 1.96 * deviation)
        by_pairs.append(error < 1.96 * deviation * factors[-1] ** 0.5)
    assert np.mean(by_rows) < 0.92
    assert 0.93 < np.mean(by_pairs) < 0.985
    assert 1.3 < np.mean(factors) < 1.9


@pytest.mark.parametrize(
    ("seeds", "folds", "agree"),
    [(1, 5, False), (4, 1, False), (4, 5, True)],
    ids=["one seed cannot tell", "test rows train nothing", "no model depends on its rows"],
)
def test_without_pairs_the_rows_luck_is_all(seeds, folds, agree):
    rng = np.random.default_rng(1)
    right = rng.random((seeds, 300)) < 0.7
    right = np.tile(right[:1], (seeds, 1)) if agree else right
    assert pair_factor(right, folds) == pytest.approx(1.0, abs=1e-3)
