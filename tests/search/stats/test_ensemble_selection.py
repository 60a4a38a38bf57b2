"""Greedy selection against a plain reference, and a nested score that nothing flatters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.stats.ensemble_selection import nested, select
from trainables.metrics.accuracy import accuracy
from trainables.metrics.loss import cross_entropy
from trainables.metrics.matthews import matthews


def drawn(
    members: int, rows: int, classes: int = 3, skill: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (rows,) and members that know them a little, (members, rows, classes)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    logits = rng.normal(size=(members, rows, classes))
    logits += skill * np.eye(classes)[labels]
    given = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return labels, given.astype(np.float32)


def reference(labels: np.ndarray, members: np.ndarray, rounds: int) -> tuple[list[int], float]:
    """Caruana's loop as it is told: every bag is a list, and its mean is taken anew."""
    bag: list[int] = []
    best, kept = -np.inf, bag
    for _ in range(rounds):
        tried = [
            matthews(labels, np.mean([members[m].astype(float) for m in [*bag, one]], axis=0))
            for one in range(len(members))
        ]
        bag = [*bag, int(np.argmax(tried))]
        if max(tried) > best:
            best, kept = max(tried), bag
    return np.bincount(kept, minlength=len(members)).tolist(), best


@pytest.mark.parametrize("seed", range(4))
def test_the_selection_is_caruanas(seed: int) -> None:
    labels, members = drawn(7, 60, seed=seed)
    found = select(labels, members, matthews, rounds=12)
    counts, best = reference(labels, members, 12)
    assert found.counts.tolist() == counts
    assert found.score == pytest.approx(best)
    assert matthews(labels, found.of(members)) == pytest.approx(best)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), rounds=st.integers(1, 8))
def test_an_ensemble_is_at_least_its_best_member_where_it_was_selected(
    seed: int, rounds: int
) -> None:
    labels, members = drawn(5, 40, seed=seed)
    found = select(labels, members, accuracy, rounds=rounds)
    assert found.score >= max(accuracy(labels, one) for one in members)
    assert 1 <= found.counts.sum() <= rounds


def test_a_loss_is_made_small() -> None:
    labels, members = drawn(6, 80)
    found = select(labels, members, cross_entropy, rounds=10, sign=-1.0)
    assert found.score <= min(cross_entropy(labels, one) for one in members)
    assert (found.counts > 0).sum() > 1


def test_members_may_be_taken_again() -> None:
    labels, members = drawn(2, 200, skill=1.0)
    members[1] = np.float32(0.8) * members[1] + np.float32(0.2) * members[0]
    found = select(labels, members, cross_entropy, rounds=30, sign=-1.0)
    assert found.counts.max() > 1


def test_only_the_best_alone_are_considered() -> None:
    labels, members = drawn(10, 80)
    alone = [accuracy(labels, one) for one in members]
    found = select(labels, members, accuracy, rounds=20, most=3)
    best = set(np.argsort(-np.array(alone), kind="stable")[:3].tolist())
    assert set(np.flatnonzero(found.counts).tolist()) <= best


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 0}, "rounds and most must be at least 1"),
        ({"most": 0}, "rounds and most must be at least 1"),
    ],
)
def test_bounds_below_1_are_refused(change: dict[str, int], message: str) -> None:
    labels, members = drawn(2, 10)
    with pytest.raises(ValueError, match=message):
        select(labels, members, accuracy, **change)  # type: ignore[arg-type]


def test_other_rows_than_labels_are_refused() -> None:
    labels, members = drawn(2, 10)
    with pytest.raises(ValueError, match=r"\(members, 9 rows, classes\)"):
        select(labels[:9], members, accuracy)


def a_sweep(
    configs: int = 6, seeds: int = 2, rows: int = 90, skill: float = 0.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels, members = drawn(configs * seeds, rows, skill=skill, seed=seed)
    rng = np.random.default_rng(seed + 1)
    folds = np.stack([rng.permutation(np.arange(rows) % 5) for _ in range(seeds)])
    return labels, members.reshape(configs, seeds, rows, 3), folds


@pytest.mark.parametrize("block", [0, 3, 9])
def test_the_rows_that_are_scored_select_nothing(block: int) -> None:
    labels, given, folds = a_sweep()
    found = nested(labels, given, folds, matthews, rounds=8)
    seed, fold = divmod(block, 5)
    away = folds[seed] == fold
    turned = np.where(away, (labels + 1) % 3, labels)
    again = nested(turned, given, folds, matthews, rounds=8)
    # Its own labels turned: the pick and the ensemble of this block are what they were ...
    np.testing.assert_array_equal(again.predicted[seed, away], found.predicted[seed, away])
    assert again.picks[block] == found.picks[block]
    # ... and only its score is another.
    assert again.ensemble[block] < found.ensemble[block]


def test_each_block_is_selected_on_the_others_and_scored_by_its_own() -> None:
    labels, given, folds = a_sweep()
    found = nested(labels, given, folds, accuracy, rounds=6)
    assert found.ensemble.shape == (10,)
    away = folds[1] == 2
    members = given.reshape(12, 90, 3)
    chosen = select(labels[~away], members[:, ~away], accuracy, rounds=6)
    assert found.ensemble[7] == accuracy(labels[away], chosen.of(members[:, away]))
    means = [np.mean([accuracy(labels[~away], p[~away]) for p in c]) for c in given]
    assert found.picks[7] == int(np.argmax(means))
    assert found.single[7] == accuracy(labels[away], given[found.picks[7], 1, away])
    assert found.seeds[7] == accuracy(labels[away], given[found.picks[7]][:, away].mean(axis=0))
    assert np.isfinite(found.predicted).all()


def test_members_that_know_nothing_score_nothing_nested_and_plenty_where_selected() -> None:
    flattered, fair = [], []
    for seed in range(6):
        labels, given, folds = a_sweep(configs=20, rows=120, skill=0.0, seed=seed)
        found = nested(labels, given, folds, matthews, rounds=10)
        fair.append(found.ensemble.mean())
        flattered.append(select(labels, given.reshape(40, 120, 3), matthews, rounds=10).score)
    assert np.mean(flattered) > 0.25
    assert abs(np.mean(fair)) < 0.06


def test_members_that_err_apart_are_better_together() -> None:
    labels, given, folds = a_sweep(configs=8, rows=300, skill=1.0)
    found = nested(labels, given, folds, matthews, rounds=15)
    assert found.ensemble.mean() > found.seeds.mean() > found.single.mean()
