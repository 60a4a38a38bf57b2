"""The rows that choose the epoch: of the training part alone, level over classes, copies whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.engine.contract import Split
from trainables.engine.errors import DataError
from trainables.engine.splits import folds, inner_validation
from trainables.engine.text_data import TextData, assemble
from trainables.engine.training.epoch_choice import Choice

SPLIT = Split(folds=4)


def made(rows: int, classes: int = 3) -> TextData:
    """Rows of which every third repeats the text before it."""
    return assemble(
        name="made",
        texts=[f"text {row - (row % 3 == 2)}" for row in range(rows)],
        texts_b=None,
        labels=np.arange(rows) // 3 % classes,
        label_names=[f"class {i}" for i in range(classes)],
        official=None,
    )


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 99),
    fold=st.integers(0, 3),
    share=st.sampled_from([0.1, 0.2, 0.5]),
    rows=st.integers(180, 260),
)
def test_they_are_a_level_part_of_the_training_rows(
    seed: int, fold: int, share: float, rows: int
) -> None:
    data = made(rows)
    train, held_out = folds.held_out(data, SPLIT, seed, fold)
    trained, tested, valid = inner_validation.apart(data, SPLIT, seed, fold, share)
    assert tested.tolist() == held_out.tolist(), "what is scored is what it was"
    assert np.sort(np.concatenate([trained, valid])).tolist() == train.tolist()
    assert len(valid) == pytest.approx(share * len(train), abs=4)
    for part in (trained, valid):
        counts = np.bincount(data.labels[part], minlength=3)
        assert counts.max() - counts.min() <= 8
    groups = [set(data.groups[part].tolist()) for part in (trained, tested, valid)]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]


def test_without_a_share_nothing_is_kept_apart() -> None:
    data = made(60)
    *parts, valid = inner_validation.apart(data, SPLIT, 2, 0, 0.0)
    for part, expected in zip(parts, folds.held_out(data, SPLIT, 2, 0), strict=True):
        np.testing.assert_array_equal(part, expected)
    assert len(valid) == 0


def test_a_class_too_small_is_named() -> None:
    data = made(36, classes=3)
    few = data.take(np.flatnonzero((data.labels != 2) | (np.arange(36) < 9)))
    with pytest.raises(DataError, match="'class 2'"):
        inner_validation.apart(few, Split(folds=2), 2, 0, 0.1)


def probabilities(guesses: list[int]) -> np.ndarray:
    return np.eye(2, dtype=np.float32)[guesses]


def test_the_first_of_the_best_epochs_counts_by_accuracy_per_class() -> None:
    choice = Choice(np.array([0, 0, 0, 1]))
    held_out = [np.full((2, 2), number, np.float32) for number in range(4)]
    guesses = [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 0]]
    shown = [
        choice.see(number + 1, held_out[number], probabilities(guess))["inner_class_accuracy"]
        for number, guess in enumerate(guesses)
    ]
    # Plain accuracy would take the first epoch: three of four rows are of class 0.
    assert shown == pytest.approx([1 / 2, 2 / 3, 2 / 3, 1 / 3])
    assert choice.facts["chosen_epoch"] == 2
    assert choice.facts["inner_class_accuracy"] == pytest.approx(2 / 3)
    assert choice.probabilities is held_out[1]


def test_a_choice_goes_on_from_a_checkpoint() -> None:
    choice = Choice(np.array([0, 1]))
    choice.see(1, probabilities([0, 1, 1]), probabilities([0, 1]))
    again = Choice(np.array([0, 1]))
    again.load_state_dict(choice.state_dict())
    again.see(2, probabilities([0, 0, 0]), probabilities([0, 0]))
    assert again.facts == choice.facts
    assert again.probabilities.tolist() == choice.probabilities.tolist()


def test_without_rows_that_choose_the_last_epoch_counts() -> None:
    choice = Choice(inner_validation.NO_ROWS)
    for guess in ([0, 1], [1, 1]):
        assert choice.see(1, probabilities(guess), probabilities([])) == {}
    assert choice.facts == {}
    assert choice.probabilities.tolist() == probabilities([1, 1]).tolist()
