"""Greedy ensemble selection on out-of-fold predictions, with a nested score.

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
    """A weighted ensemble.

    Attributes:
        counts: Number of times each member was picked, int64 (members,); its share is its weight.
        score: Score on the rows that it was selected on: flattered.
    """

    counts: IntArray
    score: float

    def of(self, probabilities: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """Average the members' probabilities (members, rows, ...) by weight."""
        members = np.flatnonzero(self.counts)
        weights = self.counts[members] / self.counts.sum()
        return np.asarray(np.tensordot(weights, probabilities[members], axes=1), np.float64)


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
        probabilities: Predictions of every member, (members, rows, classes).
        metric: Function of (labels, probabilities).
        rounds: Most members to pick, the same one counted again.
        most: Number of members to consider, those that are best alone; None considers all.
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
    best, best_counts = -np.inf, counts
    for size in range(1, rounds + 1):
        if size == 1:
            scores = alone[candidates]
        else:
            scores = np.array(
                [sign * metric(labels, (total + probabilities[m]) / size) for m in candidates]
            )
        place = int(np.argmax(scores))
        member = int(candidates[place])
        counts = counts.copy()
        counts[member] += 1
        total += probabilities[member]
        if scores[place] > best:
            best, best_counts = float(scores[place]), counts
    return Selection(best_counts, sign * best)


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
    """Held-out scores of three ways to use the same cells.

    Attributes:
        single: Score of the config that is best on the other rows, its own cell, by block,
            (blocks,).
        seeds: Score of the mean of that config's seeds, (blocks,).
        ensemble: Score of the ensemble selected on the other rows, (blocks,).
        picks: Index of that config, (blocks,).
        predicted: The ensemble's probabilities of every row, once for each way to cut the rows into
            folds, float64 (cuts, rows, classes).
        sizes: Number of different members of each block's ensemble, (blocks,).
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
        probabilities: Out-of-fold predictions, (configs, seeds, rows, classes).
        folds: Fold of each seed that held the row out, (seeds, rows).
        metric: Function of (labels, probabilities).
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
    scores: dict[str, list[float]] = {"single": [], "seeds": [], "ensemble": []}
    picks, sizes = [], []
    for seed in range(seeds):
        for fold in np.unique(folds[seed]):
            away = folds[seed] == fold
            others, known = ~away, labels[~away]
            means = [
                sign * np.mean([metric(known, predictions[others]) for predictions in config])
                for config in probabilities
            ]
            pick = int(np.argmax(means))
            ensemble = select(
                known, members[:, others], metric, rounds=rounds, most=most, sign=sign
            )
            predicted[seed, away] = ensemble.of(members[:, away])
            own = probabilities[pick][:, away]
            scores["single"].append(metric(labels[away], own[seed]))
            scores["seeds"].append(metric(labels[away], own.mean(axis=0)))
            scores["ensemble"].append(metric(labels[away], predicted[seed, away]))
            picks.append(pick)
            sizes.append(int((ensemble.counts > 0).sum()))
    return NestedScores(
        **{name: np.array(values) for name, values in scores.items()},
        picks=np.array(picks),
        predicted=predicted,
        sizes=np.array(sizes),
    )
