"""Each statistic against an independent reference: baycomp, scipy, brute force, or arithmetic."""

from __future__ import annotations

import math

import baycomp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from search.arrays import FloatArray, IntArray
from search.stats import intervals


@pytest.mark.parametrize("rope", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bayesian_correlated_t_test_agrees_with_baycomp(seed: int, rope: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0.8, 0.03, 20), rng.normal(0.79, 0.03, 20)
    expected = baycomp.CorrelatedTTest.probs(first, second, rope=rope, runs=4)
    got = intervals.correlated_t_test(first - second, test_share=1 / 5, rope=rope)
    if rope == 0:
        np.testing.assert_allclose([got.better, got.worse], expected, atol=1e-9)
    else:
        np.testing.assert_allclose([got.better, got.equal, got.worse], expected, atol=1e-9)


def test_the_corrected_interval_is_the_formula_worked_by_hand() -> None:
    # 4 differences 1, 2, 3, 4: mean 2.5, variance 5/3; held out 1/5: 1/4 + (1/5)/(4/5) = 1/2.
    interval = intervals.corrected_interval([1.0, 2.0, 3.0, 4.0], test_share=1 / 5)
    scale = math.sqrt(0.5 * 5 / 3)
    half = scipy_stats.t(df=3).ppf(0.975) * scale
    assert interval.mean == 2.5
    assert interval.low == pytest.approx(2.5 - half, abs=1e-12)
    assert interval.high == pytest.approx(2.5 + half, abs=1e-12)
    assert interval.p_value == pytest.approx(2 * scipy_stats.t(df=3).sf(2.5 / scale), abs=1e-12)


def test_the_correction_vanishes_with_the_held_out_share() -> None:
    values = np.random.default_rng(3).normal(size=12)
    interval = intervals.corrected_interval(values, test_share=1e-12)
    low, high = scipy_stats.t.interval(0.95, 11, values.mean(), scipy_stats.sem(values))
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-6)


@pytest.mark.parametrize(
    ("values", "share", "message"),
    [
        ([1.0], 0.2, "at least 2 scores"),
        ([1.0, math.nan], 0.2, "must be finite"),
        ([1.0, 2.0], 1.0, "test_share must lie"),
    ],
)
def test_scores_that_say_nothing_are_refused(
    values: list[float], share: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        intervals.corrected_interval(values, share)


def test_two_configs_are_best_as_often_as_the_paired_test_says() -> None:
    rng = np.random.default_rng(5)
    scores = rng.normal(0.8, 0.02, (2, 20)) + rng.normal(0, 0.05, 20)
    expected = intervals.correlated_t_test(scores[0] - scores[1], 1 / 5).better
    got = intervals.probability_best(scores, 1 / 5, draws=200_000)
    assert got[0] == pytest.approx(expected, abs=0.005)
    assert got.sum() == pytest.approx(1)


@given(shift=st.floats(-1, 1), seed=st.integers(0, 50))
def test_what_a_block_does_to_all_configs_changes_no_probability(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.8, 0.02, (4, 10))
    moved = scores + shift * rng.normal(size=10)
    np.testing.assert_allclose(
        intervals.probability_best(scores, 0.2), intervals.probability_best(moved, 0.2), atol=2e-3
    )


def test_the_best_of_many_equal_configs_overstates_itself_and_the_bootstrap_takes_it_off() -> None:
    # All configs are worth 0.8: whatever the best shows above that is luck.
    overstated, corrected = [], []
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(0.8, 0.03, (200, 20))
        overstated.append(scores.mean(axis=1).max() - 0.8)
        corrected.append(intervals.bootstrap_corrected(scores, draws=400, seed=seed) - 0.8)
    assert np.mean(overstated) > 0.015
    assert abs(np.mean(corrected)) < 0.2 * np.mean(overstated)


def test_a_config_that_is_clearly_best_keeps_its_mean() -> None:
    scores = np.random.default_rng(1).normal(0.7, 0.01, (10, 20))
    scores[3] += 0.2
    assert intervals.bootstrap_corrected(scores) == pytest.approx(scores[3].mean(), abs=0.003)


def test_drawn_training_rows_leave_the_correction_that_of_the_held_out_share() -> None:
    """Cells of 4 seeds x 5 folds that train on 200 of 1,600 rows: enough coverage, not too wide."""
    rng = np.random.default_rng(1)

    def rows(many: int) -> tuple[FloatArray, IntArray]:
        labels = rng.integers(0, 2, many)
        points = rng.standard_normal((many, 10))
        points[:, 0] += 0.72 * (2 * labels - 1)
        return points, labels

    def accuracy(train: tuple[FloatArray, IntArray], test: tuple[FloatArray, IntArray]) -> float:
        low, high = (train[0][train[1] == label].mean(axis=0) for label in (0, 1))
        said = test[0] @ (high - low) > (high + low) @ (high - low) / 2
        return float((said == test[1]).mean())

    far = rows(200_000)
    true = np.mean([accuracy(rows(200), far) for _ in range(60)])
    found, literal = [], []
    for _ in range(120):
        points, labels = rows(2000)
        scores = []
        for _seed in range(4):
            parts = np.array_split(rng.permutation(2000), 5)
            for fold, held in enumerate(parts):
                others = np.concatenate([part for at, part in enumerate(parts) if at != fold])
                drawn = rng.permutation(others)[:200]
                scores.append(
                    accuracy((points[drawn], labels[drawn]), (points[held], labels[held]))
                )
        found.append(intervals.corrected_interval(scores, 1 / 5))
        literal.append(intervals.corrected_interval(scores, 400 / 600))
    inside = np.mean([interval.low <= true <= interval.high for interval in found])
    assert inside >= 0.92  # 0.95, less twice the standard error of 120 draws and a bit
    width, other = (np.mean([one.high - one.low for one in each]) for each in (found, literal))
    assert other > 2.5 * width, "test / (test + drawn) would be no share of anything"


def test_many_configs_are_drawn_in_parts_of_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).normal(0.8, 0.02, (300, 20))
    whole = intervals.probability_best(scores, 0.2), intervals.bootstrap_corrected(scores)
    monkeypatch.setattr(intervals, "_ROWS_AT_ONCE", 7)
    parts = intervals.probability_best(scores, 0.2), intervals.bootstrap_corrected(scores)
    np.testing.assert_array_equal(parts[0], whole[0])
    assert parts[1] == whole[1]
