"""Per-class scores against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics

from search.stats.class_scores import class_scores


def drawn(repetitions: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    labels = rng.choice(4, 80, p=[0.5, 0.3, 0.15, 0.05])
    return labels, rng.dirichlet(np.ones(4), (repetitions, 80)) + 0.2 * np.eye(4)[labels]


def test_one_repetition_is_scikit_learns_report() -> None:
    labels, given = drawn(1)
    found = class_scores(labels, given, ["a", "b", "c", "d"])
    guesses = given[0].argmax(axis=1)
    precision, recall, f1, rows = sklearn.metrics.precision_recall_fscore_support(
        labels, guesses, labels=range(4), zero_division=0
    )
    np.testing.assert_allclose(found.precision, precision)
    np.testing.assert_allclose(found.recall, recall)
    np.testing.assert_allclose(found.f1, f1)
    assert found.rows.tolist() == rows.tolist()
    confusion = sklearn.metrics.confusion_matrix(labels, guesses, normalize="true")
    np.testing.assert_allclose(found.confusion, confusion)


def test_several_are_their_mean_and_the_document_has_a_row_a_class() -> None:
    labels, given = drawn(3)
    whole = class_scores(labels, given, ["a", "b", "c", "d"])
    each = [class_scores(labels, one[None], ["a", "b", "c", "d"]) for one in given]
    np.testing.assert_allclose(whole.f1, np.mean([one.f1 for one in each], axis=0))
    rows = whole.to_json()
    assert [row["class"] for row in rows] == ["a", "b", "c", "d"]
    assert all(sum(row["taken_for"].values()) == pytest.approx(1) for row in rows)
    assert rows[2]["taken_for"]["c"] == pytest.approx(rows[2]["recall"])


def test_other_shapes_are_refused() -> None:
    labels, given = drawn(1)
    with pytest.raises(ValueError, match=r"\(repetitions, 80 rows, 3 classes\)"):
        class_scores(labels, given, ["a", "b", "c"])
