"""Entropy of the prediction: confidence of a model, right or wrong."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def entropy(labels: IntArray, probabilities: RealArray) -> float:
    """Mean over rows of -sum_k s_k log2 s_k, in bits.

    0 for a sure model, log2(classes) at most. The confidence comparison of Not All Negatives are
    Equal (Suresh and Ong, EMNLP 2021), slides.

    Args:
        labels: True class ids, (rows,); ignored.
        probabilities: Class probabilities, (rows, classes).
    """
    shares = probabilities.astype(np.float64)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return float(-np.mean(np.sum(shares * logs, axis=1)))


METRIC = entropy
