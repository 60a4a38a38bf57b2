"""Entropy of the prediction: the uncertainty of a model, right or wrong."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import IntArray, RealArray


def entropy(labels: IntArray, probabilities: RealArray) -> float:
    """Return the mean entropy of the rows' predictions, in bits.

    A row's entropy is -sum_k s_k log2 s_k: 0 for a sure model, log2(classes) at most.

    The confidence comparison of Not All Negatives are Equal (Suresh and Ong, EMNLP 2021), slides.

    Args:
        labels: True class ids, (rows,); unused.
        probabilities: Class probabilities, (rows, classes).
    """
    shares = probabilities.astype(np.float64)
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return float(-np.mean(np.sum(shares * logs, axis=1)))


METRIC = entropy
LOW_IS_GOOD = True
