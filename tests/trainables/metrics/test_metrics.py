"""Every metric equals scikit-learn's on random predictions, and arithmetic at the edges."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics

from trainables.engine import registry
from trainables.metrics.accuracy import accuracy
from trainables.metrics.class_accuracy import class_accuracy
from trainables.metrics.f1 import class_f1
from trainables.metrics.loss import cross_entropy
from trainables.metrics.macro_f1 import macro_f1
from trainables.metrics.matthews import matthews
from trainables.metrics.weighted_f1 import weighted_f1


def drawn(seed: int, classes: int, missing: bool) -> tuple[np.ndarray, np.ndarray]:
    """Labels (rows,) and probabilities (rows, classes); `missing`: class 0 is never true."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(1 if missing else 0, classes, 60)
    return labels, rng.dirichlet(np.ones(classes), 60)


@pytest.mark.parametrize("missing", [False, True], ids=["all", "class-missing"])
@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_metrics_equal_scikit_learn(seed: int, classes: int, missing: bool) -> None:
    labels, probabilities = drawn(seed, classes, missing)
    predicted = probabilities.argmax(axis=1)
    known = list(range(classes))

    def f1(average: str | None) -> np.ndarray:
        return sklearn.metrics.f1_score(
            labels, predicted, labels=known, average=average, zero_division=0
        )

    assert accuracy(labels, probabilities) == pytest.approx(np.mean(predicted == labels))
    assert list(class_f1(labels, probabilities).values()) == pytest.approx(f1(None))
    assert macro_f1(labels, probabilities) == pytest.approx(f1("macro"))
    assert weighted_f1(labels, probabilities) == pytest.approx(f1("weighted"))
    present = sorted(set(labels.tolist()))
    assert class_accuracy(labels, probabilities) == pytest.approx(
        sklearn.metrics.recall_score(labels, predicted, labels=present, average="macro")
    )
    assert matthews(labels, probabilities) == pytest.approx(
        sklearn.metrics.matthews_corrcoef(labels, predicted)
    )
    assert cross_entropy(labels, probabilities) == pytest.approx(
        sklearn.metrics.log_loss(labels, probabilities, labels=known)
    )


@pytest.mark.parametrize(
    ("metric", "perfect", "worst"),
    [
        (accuracy, 1.0, 0.0),
        (macro_f1, 1.0, 0.0),
        (weighted_f1, 1.0, 0.0),
        (class_accuracy, 1.0, 0.0),
        (matthews, 1.0, -1.0),
        (cross_entropy, 0.0, -math.log(np.finfo(np.float32).eps)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_perfect_and_worst_predictions(
    metric: Callable[[np.ndarray, np.ndarray], float], perfect: float, worst: float
) -> None:
    labels = np.array([0, 1, 0, 1])
    assert metric(labels, np.eye(2, dtype=np.float32)[labels]) == pytest.approx(perfect)
    assert metric(labels, np.eye(2, dtype=np.float32)[1 - labels]) == pytest.approx(worst)


def test_one_predicted_class_has_no_correlation() -> None:
    assert matthews(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]])) == 0.0


def test_the_files_are_the_metrics() -> None:
    assert registry.names("trainables.metrics") == (
        "accuracy", "class_accuracy", "entropy", "f1", "loss", "macro_f1", "matthews",
        "weighted_f1",
    )  # fmt: skip
