"""Accuracy: the share of rows whose most probable class is the true one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def accuracy(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating[Any]]) -> float:
    """Share of right predictions; of equally probable classes the first counts as predicted.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    return float(np.mean(probabilities.argmax(axis=1) == labels))


METRIC = accuracy
