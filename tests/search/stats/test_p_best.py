"""P(best) means what it says, on sweeps whose truth is known."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr

from search.stats.p_best import chances
from search.strategies.board import Problem

POINTS = np.array(list(itertools.product(range(5), range(4), range(4))), float)
PROBLEM = Problem(
    features=POINTS,
    shapes=np.zeros(80, np.int64),
    blocks=20,
    rounds=tuple(np.repeat(range(4), 5).tolist()),
)
ROWS = 500


def sweep(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores of 4 seeds x 5 folds on the same rows, and the expected score on fresh rows."""
    rng = np.random.default_rng(seed)
    centred = (POINTS - POINTS.mean(axis=0)) / POINTS.std(axis=0)
    quality = centred @ rng.normal(size=3) - np.square(centred) @ rng.uniform(0.2, 1, 3)
    level = 0.6 + spread * (quality - quality.mean()) / quality.std()
    persisting = 0.7 * rng.normal(size=ROWS) + 0.5 * rng.normal(size=(80, ROWS))
    scale = np.sqrt(0.7**2 + 0.5**2 + 0.4**2)
    blocks = []
    for _ in range(4):
        right = level[:, None] * scale + persisting + 0.4 * rng.normal(size=(80, ROWS)) > 0
        fold = rng.permutation(ROWS) % 5
        blocks += [right[:, fold == part].mean(axis=1) for part in range(5)]
    return np.stack(blocks, axis=1), ndtr(level)


def test_of_configs_that_differ_the_favourite_is_the_best_as_often_as_is_said() -> None:
    said, was = [], []
    for seed in range(30):
        scores, truth = sweep(seed, spread=0.15)
        best = chances(PROBLEM, scores, frozenset(), 0.2)
        assert best is not None
        assert best.p_best is not None
        assert best.by == "surrogate"
        assert not best.stopped
        assert abs(best.p_best.sum() - 1) < 1e-9
        said.append(best.p_best.max())
        was.append(best.p_best.argmax() == truth.argmax())
    # 30 forecasts have a standard error of 0.09.
    assert abs(np.mean(said) - np.mean(was)) < 0.2
    assert np.mean(said) > 0.2, "the 80 configs are told apart"


def test_of_configs_that_hardly_differ_none_is_a_favourite() -> None:
    highest = []
    for seed in range(8):
        scores, _ = sweep(seed, spread=0.0)
        best = chances(PROBLEM, scores, frozenset(), 0.2)
        assert best is not None
        assert best.p_best is not None
        highest.append(best.p_best.max())
    assert np.mean(highest) < 0.15
    assert max(highest) < 0.4


def test_configs_that_are_stopped_keep_their_part_and_the_model_says_so() -> None:
    scores, _ = sweep(0, spread=0.15)
    scores[20:40, 4:] = np.nan
    best = chances(PROBLEM, scores, frozenset(), 0.2)
    assert best is not None
    assert best.p_best is not None
    assert best.stopped
    assert best.p_best[20:40].sum() > 0


@given(
    levels=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    blocks=st.integers(2, 20),
    noise=st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 1e6]),
    quality=st.sampled_from([0.0, 1e-9, 0.1, 1e6]),
    digits=st.sampled_from([2, 12]),
    failing=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 10**6),
)
def test_whatever_the_scores_are_the_chances_sum_to_1(
    levels: list[int],
    blocks: int,
    noise: float,
    quality: float,
    digits: int,
    failing: float,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    points = np.array(list(itertools.product(*map(range, levels))), float)[:200]
    problem = Problem(features=points, shapes=np.zeros(len(points), np.int64), blocks=blocks)
    scores = noise * rng.standard_normal((len(points), blocks))
    scores = np.round(scores + quality * rng.standard_normal((len(points), 1)), digits)
    failed = np.flatnonzero(rng.random(len(points)) < failing)
    scores[failed, 1:] = np.nan
    found = chances(problem, scores, frozenset(failed.tolist()), 0.2)
    if found is not None and found.p_best is not None:
        assert abs(found.p_best.sum() - 1) < 1e-6
        assert (found.p_best >= 0).all()
    if found is not None and found.on_fresh_rows is not None:
        assert np.isfinite(found.on_fresh_rows).all()
