"""F1 of each class: the harmonic mean of precision and recall."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def class_f1(labels: IntArray, probabilities: RealArray) -> dict[int, float]:
    """Return the F1 of each class by its id.

    F1 = 2 TP / (2 TP + FP + FN); it is 0 for a class that is neither true nor predicted anywhere.

    Args:
        labels: True class ids, (rows,).
        probabilities: Class probabilities, (rows, classes).
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    values = 2.0 * hits / np.maximum(either, 1)
    return {label: float(value) for label, value in enumerate(values)}


METRIC = class_f1
PER_CLASS = True
