"""Weighted F1: the mean of all classes' F1, weighted by true rows."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray
from trainables.metrics.f1 import class_f1


def weighted_f1(labels: IntArray, probabilities: RealArray) -> float:
    """Return the mean of the classes' F1, weighted by their rows.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    rows = np.bincount(labels, minlength=probabilities.shape[1])
    return float(np.average(list(class_f1(labels, probabilities).values()), weights=rows))


METRIC = weighted_f1
