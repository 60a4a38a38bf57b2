"""All scores of a cell under the names that the ledger writes."""

from __future__ import annotations

import numpy as np
import pytest

from trainables.engine.training.scoring import class_keys, score


def test_the_names_are_these() -> None:
    found = score(np.array([0, 1, 1]), np.eye(2)[[0, 1, 0]], ["no", "yes"])
    assert sorted(found) == [
        "accuracy", "class_accuracy", "entropy", "f1_no", "f1_yes", "loss", "macro_f1", "matthews",
        "weighted_f1",
    ]  # fmt: skip
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["f1_yes"] == pytest.approx(2 / 3)


def test_class_names_become_keys_that_a_store_takes_without_collisions() -> None:
    assert class_keys(["c++", "c##", "money-fx", "très bien"]) == [
        "c___0", "c___1", "money-fx", "très bien",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], np.eye(3)[:2], r"shape \(rows, classes\) = \(2, 2\), got \(2, 3\)"),
        ([0, 2], np.eye(2), r"Labels must be in \[0, 2\), got 0 to 2"),
        ([], np.zeros((0, 2)), "at least 1 held-out row"),
    ],
)
def test_scores_of_something_else_are_refused(
    labels: list[int], probabilities: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score(np.array(labels, np.int64), probabilities, ["no", "yes"])
