"""BBC-CV: what the winner is worth on new rows, by bootstrap over out-of-fold predictions.

Tsamardinos, Greasidou and Borboudakis, Bootstrapping the out-of-sample predictions for efficient
and accurate cross-validation, Machine Learning 107, 2018: rows are drawn with replacement, and the
config that is best on them is scored on the rows that were not drawn. Predictions of repeated
cross-validation (several seeds) are scored seed by seed and averaged, on the same drawn rows.
Copies of a text are drawn together, or the same text would be both in the bag and out of it.
`search.stats.intervals.bootstrap_corrected` is the quick form over blocks; it needs no predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from search.arrays import FloatArray, IntArray

Metric = Callable[[IntArray, npt.NDArray[np.float32]], float]


class Scorer(Protocol):
    """Scores configs on some of the rows."""

    def __call__(self, counts: IntArray, configs: IntArray) -> FloatArray:
        """Score of each of the `configs`, (configs,): distinct ids, ascending.

        Row r counts `counts[r]` times, (rows,).
        """
        ...


@dataclass(frozen=True)
class Corrected:
    """The winner's score once its luck is taken off, with a bootstrap percentile interval."""

    mean: float
    low: float
    high: float


def bbc_cv(
    score: Scorer,
    configs: int,
    groups: IntArray,
    *,
    sign: float = 1.0,
    draws: int = 500,
    seed: int = 0,
    confidence: float = 0.95,
) -> Corrected:
    """Correct the best config's score for its having been picked.

    Args:
        score: Score of configs on drawn rows: `accuracy_scorer`, or `metric_scorer` of any metric.
        configs: How many configs the best one is picked from.
        groups: Rows with the same number are drawn together, (rows,); np.arange(rows) draws each
            row by itself.
        sign: +1 where a high score is good, -1 where a low one is.
        draws: Bootstrap samples.
        seed: Of the samples.
        confidence: Coverage of the interval.

    Raises:
        ValueError: for fewer than 2 groups of rows.
    """
    _, of_row = np.unique(groups, return_inverse=True)
    many = int(of_row.max()) + 1 if len(of_row) else 0
    if many < 2:
        raise ValueError(f"a bootstrap needs at least 2 different rows, got {many}.")
    rng = np.random.default_rng(seed)
    everyone = np.arange(configs)
    outside: list[float] = []
    while len(outside) < draws:
        counts = np.bincount(rng.integers(many, size=many), minlength=many)[of_row]
        out = (counts == 0).astype(np.int64)
        if not out.any():
            continue  # every row was drawn: nothing is left to score on (likely with few rows only)
        picked = int(np.argmax(sign * score(counts, everyone)))
        outside.append(float(score(out, np.array([picked]))[0]))
    tail = (1 - confidence) / 2
    low, high = np.quantile(outside, [tail, 1 - tail])
    return Corrected(float(np.mean(outside)), float(low), float(high))


def accuracy_scorer(labels: IntArray, probabilities: npt.NDArray[np.float32]) -> Scorer:
    """Accuracy of pooled out-of-fold predictions, averaged over the seeds.

    Args:
        labels: True classes, (rows,).
        probabilities: By config, seed, row and class, (configs, seeds, rows, classes).

    Raises:
        ValueError: when the rows differ in number.
    """
    _check(labels, probabilities)
    right = (probabilities.argmax(axis=3) == labels).mean(axis=1)  # (configs, rows)
    whole = len(right)

    def score(counts: IntArray, configs: IntArray) -> FloatArray:
        chosen = right if len(configs) == whole else right[configs]  # a copy only of a few
        return np.asarray(chosen @ counts.astype(np.float64) / counts.sum())

    return score


def metric_scorer(
    labels: IntArray, probabilities: npt.NDArray[np.float32], metric: Metric
) -> Scorer:
    """Any metric of pooled out-of-fold predictions, averaged over the seeds.

    Args:
        labels: True classes, (rows,).
        probabilities: By config, seed, row and class, (configs, seeds, rows, classes).
        metric: Of (labels, probabilities) of some rows, a row drawn twice standing there twice.

    Raises:
        ValueError: when the rows differ in number.
    """
    _check(labels, probabilities)

    def score(counts: IntArray, configs: IntArray) -> FloatArray:
        rows = np.repeat(np.arange(len(labels)), counts)
        drawn = labels[rows]
        return np.array(
            [
                np.mean([metric(drawn, seed[rows]) for seed in probabilities[config]])
                for config in configs
            ]
        )

    return score


def _check(labels: IntArray, probabilities: npt.NDArray[np.float32]) -> None:
    if probabilities.ndim != 4 or probabilities.shape[2] != len(labels):
        raise ValueError(
            f"probabilities must be (configs, seeds, {len(labels)} rows, classes), "
            f"got shape {probabilities.shape}."
        )
