"""BBC-CV: what the winner is worth on new rows, by bootstrap over out-of-fold predictions.

Tsamardinos, Greasidou and Borboudakis, Bootstrapping the out-of-sample predictions for efficient
and accurate cross-validation, Machine Learning 107, 2018: rows are drawn with replacement, and the
config that is best on them is scored on the rows that were not drawn. Predictions of repeated
cross-validation (several seeds) are scored seed by seed and averaged, on the same drawn rows.
`search.stats.bootstrap_corrected` is the quick form over blocks, which needs no predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Score of each config on weighted rows: (weights (rows,)) -> (configs,).
Scorer = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Corrected:
    """The winner's score once its luck is taken off, with a bootstrap percentile interval."""

    mean: float
    low: float
    high: float


def bbc_cv(
    score: Scorer, rows: int, draws: int = 500, seed: int = 0, confidence: float = 0.95
) -> Corrected:
    """Correct the best config's score for its having been picked.

    Args:
        score: Score of every config, given how often each row counts; higher is better. Make it
        with
            `accuracy_scorer`, or from any metric of pooled out-of-fold predictions.
        rows: Rows with an out-of-fold prediction of every config.
        draws: Bootstrap samples.
        seed: Of the samples.
        confidence: Coverage of the interval.

    Raises:
        ValueError: for fewer than 2 rows.
    """
    if rows < 2:
        raise ValueError(f"a bootstrap needs at least 2 rows, got {rows}.")
    rng = np.random.default_rng(seed)
    outside: list[float] = []
    while len(outside) < draws:
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(float)
        out = (counts == 0).astype(float)
        if not out.any():
            continue  # every row was drawn: nothing is left to score on (likely with few rows only)
        picked = int(np.argmax(score(counts)))
        outside.append(float(score(out)[picked]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(outside, [tail, 1 - tail])
    return Corrected(float(np.mean(outside)), float(low), float(high))


def accuracy_scorer(labels: IntArray, predicted: IntArray) -> Scorer:
    """Accuracy of pooled out-of-fold predictions, averaged over the seeds.

    Args:
        labels: True classes, (rows,).
        predicted: Predicted classes by config, seed and row, (configs, seeds, rows).

    Raises:
        ValueError: when the rows differ in number.
    """
    if predicted.ndim != 3 or predicted.shape[2] != len(labels):
        raise ValueError(
            f"predicted must be (configs, seeds, {len(labels)} rows), got shape {predicted.shape}."
        )
    right = (predicted == labels).mean(axis=1)  # (configs, rows)
    return lambda weights: np.asarray(right @ weights / weights.sum())
