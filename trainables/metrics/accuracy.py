"""Accuracy: the share of rows whose most probable class is true."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def accuracy(labels: IntArray, probabilities: RealArray) -> float:
    """Return the share of right predictions.

    The first of equally probable classes counts as predicted.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    return float(np.mean(probabilities.argmax(axis=1) == labels))


METRIC = accuracy
