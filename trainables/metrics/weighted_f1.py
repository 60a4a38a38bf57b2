"""Weighted F1: mean over classes, weighted by their true rows."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray
from trainables.metrics.f1 import class_f1


def weighted_f1(labels: IntArray, probabilities: RealArray) -> float:
    """Mean of the classes' F1, weighted by their rows.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    rows = np.bincount(labels, minlength=probabilities.shape[1])
    return float(np.average(list(class_f1(labels, probabilities).values()), weights=rows))


METRIC = weighted_f1
