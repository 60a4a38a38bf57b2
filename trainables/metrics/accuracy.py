"""Accuracy: the share of rows whose most probable class is the true one."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def accuracy(labels: IntArray, probabilities: RealArray) -> float:
    """Share of right predictions; of equally probable classes the first counts as predicted.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    return float(np.mean(probabilities.argmax(axis=1) == labels))


METRIC = accuracy
