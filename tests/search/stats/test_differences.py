"""Differences of two means, against scipy, the correlated t-test, and drawn samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from search.stats.differences import paired, unpaired
from search.stats.intervals import corrected_interval, correlated_t_test


@pytest.fixture
def draws() -> np.random.Generator:
    return np.random.default_rng(4)


def test_a_paired_difference_is_the_corrected_interval_of_the_gains(
    draws: np.random.Generator,
) -> None:
    first, second = draws.normal(0.8, 0.02, (2, 20))
    found = paired(first, second, 0.2, rope=0.005)
    expected = corrected_interval(first - second, 0.2)
    versus = correlated_t_test(first - second, 0.2, 0.005)
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert (found.above, found.equal, found.below) == pytest.approx(
        (versus.better, versus.equal, versus.worse)
    )
    assert found.positive == pytest.approx(correlated_t_test(first - second, 0.2, 0.0).better)
    assert found.cells == 20


def test_blocks_that_one_side_lacks_do_not_count() -> None:
    found = paired(
        np.array([0.9, 0.5, np.nan, 0.7, 0.8]), np.array([0.8, np.nan, 0.1, 0.7, 0.6]), 0.2
    )
    assert found is not None
    assert found.cells == 3
    assert found.mean == pytest.approx(0.1)


def test_bias_is_taken_off_the_difference_and_its_interval(draws: np.random.Generator) -> None:
    first, second = draws.normal(0.8, 0.02, (2, 10))
    plain, less = paired(first, second, 0.2), paired(first, second, 0.2, less=0.03)
    assert plain is not None
    assert less is not None
    assert plain.low is not None
    assert less.low is not None
    assert less.mean == pytest.approx(plain.mean - 0.03)
    assert less.low == pytest.approx(plain.low - 0.03)


def test_without_the_correction_two_samples_are_welchs_test(draws: np.random.Generator) -> None:
    first, second = draws.normal(0.8, 0.02, 12), draws.normal(0.79, 0.05, 7)
    found = unpaired(first, second, (1e-12, 1e-12))
    welch = stats.ttest_ind(first, second, equal_var=False)
    low, high = welch.confidence_interval(0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.positive == pytest.approx(1 - stats.t.cdf(-welch.statistic, welch.df))
    assert found.cells == 0


def test_pairing_narrows_the_interval_where_blocks_rise_and_fall_together(
    draws: np.random.Generator,
) -> None:
    blocks = draws.normal(0, 0.05, 20)
    first, second = 0.8 + blocks, 0.78 + blocks + draws.normal(0, 0.005, 20)
    together, apart = paired(first, second, 0.2), unpaired(first, second, (0.2, 0.2))
    assert together is not None
    assert apart is not None
    assert together.low is not None
    assert apart.low is not None
    assert together.low > 0 > apart.low


@pytest.mark.parametrize(("blocks", "interval"), [(2, False), (3, True)])
def test_fewer_than_three_blocks_have_no_interval(blocks: int, interval: bool) -> None:
    row = np.linspace(0.5, 0.6, blocks)
    for found in (paired(row, row - 0.01 * row, 0.2), unpaired(row, row - 0.1, (0.2, 0.2))):
        assert found is not None
        assert (found.low is not None) == interval


def test_nothing_is_said_of_sides_without_a_block() -> None:
    nothing, some = np.array([np.nan, np.nan]), np.array([0.4, 0.5])
    assert paired(nothing, some, 0.2) is None
    assert unpaired(nothing, some, (0.2, 0.2)) is None


def test_equal_scores_are_a_coin_toss_not_a_win() -> None:
    row = np.array([0.5, 0.6, 0.7])
    found = paired(row, row, 0.2)
    assert found is not None
    assert (found.mean, found.low, found.high, found.positive) == (0.0, 0.0, 0.0, 0.5)
