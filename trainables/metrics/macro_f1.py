"""Macro F1: plain mean over classes, so that rare ones count."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray
from trainables.metrics.f1 import class_f1


def macro_f1(labels: IntArray, probabilities: RealArray) -> float:
    """Mean of the classes' F1.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    return float(np.mean(list(class_f1(labels, probabilities).values())))


METRIC = macro_f1
