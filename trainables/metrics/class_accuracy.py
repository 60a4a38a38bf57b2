"""Accuracy per class: the plain mean of all classes' accuracies."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def class_accuracy(labels: IntArray, probabilities: RealArray) -> float:
    """Return the mean over classes of their share of right rows.

    Classes without a true row are left out. Also called balanced accuracy, or macro recall.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    classes = probabilities.shape[1]
    rows = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[probabilities.argmax(axis=1) == labels], minlength=classes)
    return float(np.mean(right[rows > 0] / rows[rows > 0]))


METRIC = class_accuracy
