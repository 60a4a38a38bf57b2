"""Matthews correlation: a score of the whole confusion matrix.

It is fair to unequal classes.
"""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def matthews(labels: IntArray, probabilities: RealArray) -> float:
    """Return Matthews' correlation coefficient for several classes, in [-1, 1].

    With c right predictions of s rows, t_k true and p_k predicted rows of class k:
    (c s - sum t_k p_k) / sqrt((s^2 - sum p_k^2)(s^2 - sum t_k^2)); 0 where only one class is true
    or predicted. Source: Gorodkin, Computational Biology and Chemistry 28 (2004), R_K.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    classes = probabilities.shape[1]
    guesses = probabilities.argmax(axis=1)
    true = np.bincount(labels, minlength=classes).astype(np.float64)
    predicted = np.bincount(guesses, minlength=classes).astype(np.float64)
    rows = float(len(labels))
    right = float(np.sum(guesses == labels))
    spread = (rows**2 - predicted @ predicted) * (rows**2 - true @ true)
    if spread <= 0:
        return 0.0
    return float((right * rows - true @ predicted) / np.sqrt(spread))


METRIC = matthews
