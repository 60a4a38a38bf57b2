"""Greedy ensemble selection on out-of-fold predictions, scored on rows that it did not see.

Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble selection from libraries of models (ICML 2004):
starting from nothing, the member that helps the mean of the probabilities most is added, again and
again, with replacement; the ensemble that was best on the way is kept.

Selected and scored on the same rows, an ensemble is flattered more than any member: it is the best
of a great many. `nested` therefore puts the rows of one fold after another away, selects on the
others and scores on these; so does it for the single config beside it. Pure numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.arrays import FloatArray, IntArray

Probabilities = npt.NDArray[np.float32]
Metric = Callable[[IntArray, npt.NDArray[np.floating[Any]]], float]


@dataclass(frozen=True, eq=False)
class Selection:
    """An ensemble.

    Attributes:
        counts: How often each member was taken, int64 (members,); a member's weight is its share.
        score: On the rows that it was selected on: flattered.
    """

    counts: IntArray
    score: float

    def of(self, probabilities: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """The ensemble's probabilities, (rows, classes), of its members', (members, rows, ...)."""
        chosen = np.flatnonzero(self.counts)
        weights = self.counts[chosen] / self.counts.sum()
        return np.asarray(np.tensordot(weights, probabilities[chosen], axes=1), np.float64)


def select(
    labels: IntArray,
    probabilities: Probabilities,
    metric: Metric,
    *,
    rounds: int = 50,
    most: int | None = None,
    sign: float = 1.0,
) -> Selection:
    """Select an ensemble.

    Of members that help alike the first is taken, of ensembles that score alike the smallest.

    Args:
        labels: True classes, (rows,).
        probabilities: Of every member, (members, rows, classes).
        metric: Of (labels, probabilities).
        rounds: Members to take at most, the same one counted again.
        most: Consider only so many members, those that are best alone; None considers all.
        sign: +1 where a high score is good, -1 where a low one is.

    Raises:
        ValueError: without a member or a row, if shapes disagree, or for a bound below 1.
    """
    _check(labels, probabilities, rounds, most)
    alone = np.array([sign * metric(labels, member) for member in probabilities])
    order = np.argsort(-alone, kind="stable")[:most]
    candidates = np.sort(order)
    counts = np.zeros(len(probabilities), np.int64)
    total = np.zeros(probabilities.shape[1:])
    best, kept = -np.inf, counts
    for taken in range(1, rounds + 1):
        if taken == 1:
            scores = alone[candidates]
        else:
            scores = np.array(
                [sign * metric(labels, (total + probabilities[m]) / taken) for m in candidates]
            )
        place = int(np.argmax(scores))
        member = int(candidates[place])
        counts = counts.copy()
        counts[member] += 1
        total += probabilities[member]
        if scores[place] > best:
            best, kept = float(scores[place]), counts
    return Selection(kept, sign * best)


def _check(labels: IntArray, probabilities: Probabilities, rounds: int, most: int | None) -> None:
    if probabilities.ndim != 3 or not len(probabilities) or probabilities.shape[1] != len(labels):
        raise ValueError(
            f"probabilities must be (members, {len(labels)} rows, classes) with at least 1 member, "
            f"got shape {probabilities.shape}."
        )
    if not len(labels):
        raise ValueError("an ensemble needs at least 1 row to be selected on, got 0.")
    if rounds < 1 or (most is not None and most < 1):
        raise ValueError(f"rounds and most must be at least 1, got {rounds} and {most}.")


@dataclass(frozen=True, eq=False)
class NestedScores:
    """What three ways to use the same cells score on rows that no choice saw.

    Attributes:
        single: The config that is best on the other rows, its own cell: by block, (blocks,).
        seeds: That config, the mean of its seeds' probabilities, (blocks,).
        ensemble: The ensemble selected on the other rows, (blocks,).
        picks: Which config that was, (blocks,).
        predicted: The ensemble's probabilities of every row, once for each way to cut the rows into
            folds, float64 (cuts, rows, classes).
        sizes: Different members of the ensemble of each block, (blocks,).
    """

    single: FloatArray
    seeds: FloatArray
    ensemble: FloatArray
    picks: IntArray
    predicted: FloatArray
    sizes: IntArray


def nested(
    labels: IntArray,
    probabilities: Probabilities,
    folds: IntArray,
    metric: Metric,
    *,
    rounds: int = 50,
    most: int | None = None,
    sign: float = 1.0,
) -> NestedScores:
    """Score ensemble selection by cross-validation: a fold's rows choose nothing.

    A member is a config with a seed: its prediction of a row is by a model that did not see it. The
    rows are cut into folds as each seed cut them, so that copies of a text stay together, and the
    scores are by block (seed, fold), as those of the sweep are.

    Args:
        labels: True classes, (rows,).
        probabilities: Out-of-fold, (configs, seeds, rows, classes).
        folds: Which fold of a seed held a row out, (seeds, rows).
        metric: Of (labels, probabilities).
        rounds: See `select`.
        most: See `select`.
        sign: See `select`.

    Raises:
        ValueError: if shapes disagree, or as `select`.
    """
    if probabilities.ndim != 4 or folds.shape != probabilities.shape[1:3]:
        raise ValueError(
            "probabilities must be (configs, seeds, rows, classes) and folds (seeds, rows), got "
            f"{probabilities.shape} and {folds.shape}."
        )
    configs, seeds, rows, classes = probabilities.shape
    members = probabilities.reshape(configs * seeds, rows, classes)
    predicted = np.full((seeds, rows, classes), np.nan)
    found: dict[str, list[float]] = {"single": [], "seeds": [], "ensemble": []}
    picks, sizes = [], []
    for seed in range(seeds):
        for fold in np.unique(folds[seed]):
            away = folds[seed] == fold
            others, truth = ~away, labels[~away]
            means = [
                sign * np.mean([metric(truth, one[others]) for one in config])
                for config in probabilities
            ]
            pick = int(np.argmax(means))
            chosen = select(truth, members[:, others], metric, rounds=rounds, most=most, sign=sign)
            predicted[seed, away] = chosen.of(members[:, away])
            own = probabilities[pick][:, away]
            found["single"].append(metric(labels[away], own[seed]))
            found["seeds"].append(metric(labels[away], own.mean(axis=0)))
            found["ensemble"].append(metric(labels[away], predicted[seed, away]))
            picks.append(pick)
            sizes.append(int((chosen.counts > 0).sum()))
    return NestedScores(
        **{name: np.array(scores) for name, scores in found.items()},
        picks=np.array(picks),
        predicted=predicted,
        sizes=np.array(sizes),
    )
