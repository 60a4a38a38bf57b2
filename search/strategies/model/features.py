"""Axes as features of the surrogate: smooth effects, and pairs of them.

A Gaussian process with an additive and pairwise Matern kernel, written as features: eigenvectors of
each axis's kernel, and their products.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from search.arrays import FloatArray, IntArray
from search.strategies.board import Problem

# Prior variance of a pair's effects, as a share of an axis's own.
_PAIR_SHARE = 0.2
_LENGTH = 0.5  # of the Matern kernel, in units of an axis's whole length
_EARLIER_SHARE = 1.0  # prior variance of an earlier sweep's weight, likewise
# Of one axis: finer ones of a number tell nothing, each name of a category has one of its own.
_MOST_SMOOTH, _MOST_NAMES = 30, 150


@dataclass(frozen=True, eq=False)
class Features:
    """The smooth part of the model for one problem.

    Attributes:
        values: Feature of each config, float (configs, features); the first is the constant.
        groups: Variance component of each feature but the constant, int (features - 1,).
        prior: Prior share of each component, (components,).
        earlier: Column of each earlier sweep; None for one whose configs all score alike.
    """

    values: FloatArray
    groups: IntArray
    prior: FloatArray
    earlier: tuple[int | None, ...] = ()


def build_features(problem: Problem, limit: int | None = None) -> Features:
    """Main and pairwise features of a problem's axes, smoothest first.

    Args:
        problem: Problem whose `features` hold positions; nan (inert) has no effect of that axis.
        limit: Most features to keep; None takes 120, fewer on problems beyond 20,000 configs. The
            values of an axis without order are kept beside them: none of these stands for another.
    """
    limit = limit if limit is not None else int(np.clip(2.4e6 / problem.configs, 40, 120))
    axes = [
        basis
        for axis in range(problem.features.shape[1])
        if (basis := _axis_basis(problem.features[:, axis], axis in problem.unordered)) is not None
    ]
    # (variance, component, columns to multiply): ranked before anything large is made
    terms: list[tuple[float, int, tuple[tuple[int, int], ...]]] = [
        (share, group, ((group, i),))
        for group, (_, shares) in enumerate(axes)
        for i, share in enumerate(shares)
    ]
    pairs = list(itertools.combinations(range(len(axes)), 2))
    for group, (first, second) in enumerate(pairs, start=len(axes)):
        terms += [
            (_PAIR_SHARE * a * b, group, ((first, i), (second, j)))
            for i, a in enumerate(axes[first][1])
            for j, b in enumerate(axes[second][1])
        ]
    ranked = sorted(terms, key=lambda term: -term[0])
    names = {g for g, (levels, _) in enumerate(axes) if levels.shape[1] > _MOST_SMOOTH}
    selected = [term for term in ranked if term[1] in names][: 2 * _MOST_NAMES]
    selected += [term for term in ranked if term[1] not in names][:limit]
    columns = [np.ones(problem.configs)]
    for _, _, factors in selected:
        column = np.ones(problem.configs)
        for axis, i in factors:
            column = column * axes[axis][0][:, i]
        columns.append(column)
    used, groups = np.unique([group for _, group, _ in selected], return_inverse=True)
    prior = np.where(used < len(axes), 1.0 / max(len(axes), 1), _PAIR_SHARE / max(len(pairs), 1))
    groups = groups.astype(np.int64).ravel()
    places: list[int | None] = []
    for scores in _of_earlier_sweeps(problem):
        places.append(None if scores is None else len(columns))
        if scores is None:
            continue
        columns.append(scores)
        groups = np.append(groups, len(prior))
        prior = np.append(prior, _EARLIER_SHARE)
    return Features(np.stack(columns, axis=1), groups, prior, tuple(places))


def _of_earlier_sweeps(problem: Problem) -> list[FloatArray | None]:
    """A feature for each earlier sweep; None for one without a spread.

    It is that sweep's scores of the configs, in units of their spread. Each weight has a variance
    of its own: that of a sweep with nothing in common with this one vanishes.
    """
    columns: list[FloatArray | None] = []
    for scores in () if problem.earlier is None else problem.earlier:
        known = np.isfinite(scores)
        spread = float(scores[known].std()) if known.any() else 0.0
        columns.append(
            np.where(known, (scores - scores[known].mean()) / spread, 0.0) if spread > 0 else None
        )
    return columns


def _axis_basis(positions: FloatArray, unordered: bool) -> tuple[FloatArray, FloatArray] | None:
    """Features of one axis (configs, rank), and the variance share of each.

    Their mean variances sum to 1. None for an axis of fewer than two values.
    """
    known = np.isfinite(positions)
    levels = np.unique(positions[known])
    if len(levels) < 2:
        return None
    # Matern kernel of smoothness 5/2 for numbers; values without an order are equally far apart.
    gaps = np.abs(levels[:, None] - levels) / (levels[-1] - levels[0]) * np.sqrt(5) / _LENGTH
    kernel = np.eye(len(levels)) if unordered else (1 + gaps + gaps**2 / 3) * np.exp(-gaps)
    # Centred: the constant has a feature of its own.
    center = np.eye(len(levels)) - 1 / len(levels)
    shares, vectors = np.linalg.eigh(center @ kernel @ center)
    # One value less than there are levels is free; further eigenvectors are finer than any data.
    most = _MOST_NAMES if unordered else _MOST_SMOOTH
    order = np.argsort(-shares)[: len(levels) - 1][:most]
    order = order[shares[order] > 1e-3 * shares[order[0]]]
    shares = shares[order] / shares[order].sum()
    columns = np.zeros((len(positions), len(order)))
    scaled = vectors[:, order] * np.sqrt(shares * len(levels))
    columns[known] = scaled[np.searchsorted(levels, positions[known])]
    return columns, shares
