"""Macro F1: the plain mean of all classes' F1.

Rare classes count like the others.
"""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray
from trainables.metrics.f1 import class_f1


def macro_f1(labels: IntArray, probabilities: RealArray) -> float:
    """Return the mean of the classes' F1.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    return float(np.mean(list(class_f1(labels, probabilities).values())))


METRIC = macro_f1
