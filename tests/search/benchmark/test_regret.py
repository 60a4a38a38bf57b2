"""Regrets summed up: the figures by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from search.benchmark.regret import median_ranks, rows, summary


def test_the_figures_of_ten_replays_by_hand():
    """0.01 ... 0.10: median 0.055, mean 0.055, s.d. 0.030277, so s.e. 0.0095743.

    Ranks 2 to 9 (of 10) hold the median with 1 - 2 (1 + 10) / 1024 = 97.9%; 3 to 8 with only 89%.
    """
    got = summary([(0.5, np.zeros(10)), (0.03, np.arange(1, 11) / 100)])
    assert got["cells_share"] == 0.03
    assert got["replays"] == 10
    assert got["regret"] == pytest.approx(0.055)
    assert (got["regret_low"], got["regret_high"]) == (0.02, 0.09)
    assert got["regret_mean"] == pytest.approx(0.055)
    assert got["regret_se"] == pytest.approx(math.sqrt(9.1666667 / 10) / 100, rel=1e-6)
    assert got["regret_p90"] == 0.1
    assert got["curve"] == [[0.5, 0.0], [0.03, got["regret"]]]


def test_a_replay_that_names_nothing_counts_as_the_worst():
    got = summary([(0.01, np.array([0.01, 0.02, 0.03, np.nan, np.nan]))])
    assert got["regret"] == 0.03
    assert got["regret_mean"] is None
    assert got["regret_se"] is None
    assert got["regret_p90"] is None
    [row] = rows({"strategies": {"race": got}})
    assert row["median regret"] == "3.00"
    assert row["mean (s.e.)"] == "- (-)"


@pytest.mark.parametrize(
    ("count", "ranks"), [(1, (0, 0)), (3, (0, 2)), (6, (0, 5)), (50, (17, 32))]
)
def test_the_median_s_interval_covers_it_in_95_of_100(count, ranks):
    assert median_ranks(count) == ranks
    if count >= 6:
        low, high = ranks
        below = sum(math.comb(count, k) for k in range(low + 1)) / 2**count
        assert 1 - 2 * below >= 0.95
        assert high == count - 1 - low
