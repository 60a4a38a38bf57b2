"""The winner's correction: which form holds, that it is BBC-CV's own number, what it falls to."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import pytest

from search.errors import NoPredictionsError
from search.stats import intervals
from search.stats.bbc_cv import accuracy_scorer, bbc_cv, pair_factor
from search.stats.out_of_fold import OutOfFold
from search.stats.selection_bias import correct
from search.strategies.board import Problem
from trainables.engine.training.scoring import metric_of

ROWS, SEEDS, CONFIGS = 120, 2, 6


def a_problem(mode: Literal["max", "min"] = "max") -> Problem:
    features = np.arange(float(CONFIGS))[:, None]
    return Problem(features=features, shapes=np.zeros(CONFIGS, np.int64), blocks=8, mode=mode)


def a_sweep(seed: int = 0) -> tuple[np.ndarray, OutOfFold]:
    """Scores by 2 seeds x 4 equal folds and the predictions that they are scores of."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, ROWS)
    guesses = np.where(rng.random((CONFIGS, SEEDS, ROWS)) < 0.7, labels, (labels + 1) % 3)
    fold = np.arange(ROWS) % 4
    right = guesses == labels
    scores = np.stack([right[:, s, fold == f].mean(1) for s in range(SEEDS) for f in range(4)], 1)
    given = np.eye(3, dtype=np.float32)[guesses]
    return scores, OutOfFold(
        labels, np.arange(ROWS) // 2, ("a", "b", "c"), given, np.tile(fold, (SEEDS, 1))
    )


def test_with_equal_folds_it_is_bbc_cv_s_own_number() -> None:
    scores, pooled = a_sweep()
    winner = int(scores.mean(axis=1).argmax())
    found = correct(a_problem(), scores, winner, 1 / 4, pool=lambda configs: pooled)
    scorer = accuracy_scorer(pooled.labels, pooled.probabilities)
    expected = bbc_cv(scorer, CONFIGS, pooled.groups, draws=500)
    assert found is not None
    assert (found.by, found.note, found.surrogate) == ("bbc-cv", None, None)
    assert found.score == pytest.approx(expected.mean, abs=1e-9)
    right = pooled.probabilities[winner].argmax(axis=2) == pooled.labels
    wider = pair_factor(right, 4) ** 0.5
    reach = expected.high - expected.mean, expected.mean - expected.low
    assert (found.high - found.score, found.score - found.low) == pytest.approx(
        (wider * reach[0], wider * reach[1]), abs=1e-9
    )


def test_only_complete_configs_are_pooled() -> None:
    scores, pooled = a_sweep()
    scores[2, 5] = np.nan
    asked: list[list[int]] = []

    def pool(configs: np.ndarray) -> OutOfFold:
        asked.append(configs.tolist())
        return OutOfFold(
            pooled.labels,
            pooled.groups,
            pooled.label_names,
            pooled.probabilities[configs],
            pooled.folds,
        )

    correct(a_problem(), scores, 4, 1 / 4, pool=pool)
    assert asked == [[0, 1, 3, 4, 5]]


def test_f1_is_corrected_from_the_mean_of_its_folds() -> None:
    scores, pooled = a_sweep()
    found = correct(
        a_problem(),
        scores - 0.1,
        0,
        1 / 4,
        pool=lambda configs: pooled,
        metric=partial(metric_of, "macro_f1"),
    )
    assert found is not None
    assert found.by == "bbc-cv"
    assert found.score <= scores[0].mean() - 0.1, "a pick is never worth more than it shows"
    assert found.score > scores[0].mean() - 0.3


def test_a_class_of_its_own_is_an_objective_too() -> None:
    scores, pooled = a_sweep()
    found = correct(
        a_problem(),
        scores,
        0,
        1 / 4,
        pool=lambda configs: pooled,
        metric=partial(metric_of, "f1_b"),
    )
    assert found is not None
    assert found.by == "bbc-cv"


@pytest.mark.parametrize("objective", ["nowhere", "f1_nobody"])
def test_a_metric_that_is_not_known_falls_to_the_quick_form(objective: str) -> None:
    scores, pooled = a_sweep()
    found = correct(
        a_problem(),
        scores,
        0,
        1 / 4,
        pool=lambda configs: pooled,
        metric=partial(metric_of, objective),
    )
    assert found is not None
    assert found.by == "block bootstrap"
    assert f"No metric gives '{objective}'" in str(found.note)


def test_without_predictions_it_is_the_quick_form_and_says_why() -> None:
    def pool(configs: np.ndarray) -> OutOfFold:
        raise NoPredictionsError("the sweep kept no labels")

    scores, _ = a_sweep()
    winner = int(scores.mean(axis=1).argmax())
    found = correct(a_problem(), scores, winner, 1 / 4, pool=pool)
    assert found is not None
    assert (found.by, found.note) == ("block bootstrap", "the sweep kept no labels")
    assert found.score == pytest.approx(intervals.bootstrap_corrected(scores))
    interval = intervals.corrected_interval(scores[winner], 1 / 4)
    assert found.low == pytest.approx(found.score + interval.low - interval.mean)


def test_where_configs_were_stopped_early_the_less_flattering_figure_holds() -> None:
    scores, pooled = a_sweep()
    winner = int(scores.mean(axis=1).argmax())
    for means, wanted in ((np.full(CONFIGS, 0.5), 0.5), (np.full(CONFIGS, 0.99), None)):
        found = correct(
            a_problem(), scores, winner, 1 / 4, pool=lambda configs: pooled, means=means
        )
        assert found is not None
        assert found.score == pytest.approx(found.resampled if wanted is None else wanted)
        assert found.surrogate == means[winner]


def test_where_low_is_good_luck_makes_a_score_lower() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(0.5, 0.05, (50, 20))
    winner = int(scores.mean(axis=1).argmin())
    found = correct(a_problem("min"), scores, winner, 1 / 5)
    assert found is not None
    assert found.score > scores[winner].mean()
    assert found.score == pytest.approx(-intervals.bootstrap_corrected(-scores))


@pytest.mark.parametrize(
    ("winner", "complete"), [(None, 6), (0, 1)], ids=["no winner", "nothing to pick from"]
)
def test_what_was_not_picked_is_not_corrected(winner: int | None, complete: int) -> None:
    scores, _ = a_sweep()
    scores[complete:, 0] = np.nan
    assert correct(a_problem(), scores, winner, 1 / 4) is None


def test_the_best_of_equal_configs_is_corrected_to_what_they_are_worth() -> None:
    # Every config is right with 0.7 on any row: all that the best shows above is luck.
    raw, corrected = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 200)
        right = rng.random((60, 2, 200)) < 0.7
        given = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
        fold = np.arange(200) % 5
        scores = np.stack([right[:, s, fold == f].mean(1) for s in (0, 1) for f in range(5)], 1)
        pooled = OutOfFold(labels, np.arange(200), ("a", "b"), given, np.tile(fold, (2, 1)))
        winner = int(scores.mean(axis=1).argmax())
        found = correct(a_problem(), scores, winner, 1 / 5, pool=lambda configs, p=pooled: p)
        assert found is not None
        raw.append(scores[winner].mean() - 0.7)
        corrected.append(found.score - 0.7)
    assert np.mean(raw) > 0.04
    assert abs(np.mean(corrected)) < 0.25 * np.mean(raw)
