"""Accuracy: share of rows whose most probable class is right."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def accuracy(labels: IntArray, probabilities: RealArray) -> float:
    """Share of right predictions; ties count for the first class.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    return float(np.mean(probabilities.argmax(axis=1) == labels))


METRIC = accuracy
