"""Surrogate: posterior of every config's score from the cells told so far.

One linear mixed model of all cells of a board:

    score(c, b) = mean + block(b) + f(c) + rough(c) + noise(c, b)
    f(c)        = sum over axes u_a(c) + sum over pairs of axes u_ab(c)

    f       smooth over the ordered axes: a Gaussian process with an additive and pairwise Matern
            kernel, written as features (eigenvectors of each axis's kernel and their products);
            every axis and every pair has a variance of its own, so axes without effect vanish
    rough   a config's own part, N(0, rough_sd^2): never taken away by the neighbours
    block   a (seed, fold) that is easy or hard for all; differences between configs are free of it
    noise   residual of one cell, its variance pooled over all configs as in a mixed-model race

The variances come from the cells themselves by expectation maximisation. `rough` is integrated out
config by config, so that the model costs features^3 and not configs^3; configs enter only through
sums per number of cells they have. Fitted anew from the board each time: no state, no order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import TOLD, Board, Problem

# Prior variance of a pair's effects, as a share of an axis's own.
_PAIR_SHARE = 0.2
_LENGTH = 0.5  # of the Matern kernel, in units of an axis's whole length


@dataclass(frozen=True, eq=False)
class Features:
    """The smooth part of the model for one problem.

    Attributes:
        values: Feature of each config, float (configs, features); the first is the constant.
        groups: Variance component of each feature but the constant, int (features - 1,).
        prior: Prior share of each component, (components,).
    """

    values: FloatArray
    groups: IntArray
    prior: FloatArray


@dataclass(frozen=True, eq=False)
class Belief:
    """Joint posterior of every config's expected score.

    Attributes:
        mean: Posterior mean of each config's score over fresh cells, (configs,).
        noise_sd: Standard deviation of one cell's residual.
        rough_sd: Standard deviation of a config's own part.
        blocks: Effect of each block, (blocks,).
        weights: Posterior mean of the features' weights, then of the blocks'.
    """

    mean: FloatArray
    noise_sd: float
    rough_sd: float
    blocks: FloatArray
    weights: FloatArray
    _root: FloatArray
    _center: float
    _features: FloatArray
    _rows: IntArray
    _shrink: FloatArray
    _row_means: FloatArray
    _row_shares: FloatArray

    def draw(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """Joint draws of all configs' expected scores, (configs, draws)."""
        width = self._features.shape[1]
        # root.T @ root is the covariance, so root.T turns white noise into a draw of the weights.
        weights = self.weights[:, None] + self._root.T @ rng.standard_normal(
            (len(self.weights), draws)
        )
        scores = self._features @ weights[:width]
        own_sd = np.full(len(scores), self.rough_sd)
        # A config with cells keeps of its own part what these leave open, and moves to their mean.
        own_sd[self._rows] *= np.sqrt(1.0 - self._shrink)
        known = self._row_means[:, None] - self._row_shares @ weights[width:]
        scores[self._rows] += self._shrink[:, None] * (known - scores[self._rows])
        # Single precision halves the time of the largest part, and noise needs no more digits.
        own = rng.standard_normal(scores.shape, np.float32)
        own *= own_sd[:, None].astype(np.float32)
        scores += own
        scores += self._center
        return np.asarray(scores)

    def p_best(self, problem: Problem, draws: int = 2000, seed: int = 0) -> FloatArray:
        """Probability that each config's expected score is the best, (configs,)."""
        rng = np.random.default_rng(seed)
        wins = np.zeros(problem.configs)
        for done in range(0, draws, 200):  # 200 at a time: a draw of a large space is large
            count = min(200, draws - done)
            best = (self.draw(count, rng) * problem.sign).argmax(axis=0)
            wins += np.bincount(best, minlength=problem.configs)
        return wins / draws


def build_features(problem: Problem, limit: int | None = None) -> Features:
    """Main and pairwise features of a problem's axes, smoothest first.

    Args:
        problem: Problem whose `features` hold positions; nan (inert) has no effect of that axis.
        limit: Most features to keep; None takes 120, fewer on problems beyond 20,000 configs.
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
    selected = sorted(terms, key=lambda term: -term[0])[:limit]
    columns = [np.ones(problem.configs)]
    for _, _, factors in selected:
        column = np.ones(problem.configs)
        for axis, i in factors:
            column = column * axes[axis][0][:, i]
        columns.append(column)
    used, groups = np.unique([group for _, group, _ in selected], return_inverse=True)
    prior = np.where(used < len(axes), 1.0 / max(len(axes), 1), _PAIR_SHARE / max(len(pairs), 1))
    return Features(np.stack(columns, axis=1), groups.astype(np.int64).ravel(), prior)


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
    order = np.argsort(-shares)[: len(levels) - 1][:30]
    order = order[shares[order] > 1e-3 * shares[order[0]]]
    shares = shares[order] / shares[order].sum()
    columns = np.zeros((len(positions), len(order)))
    scaled = vectors[:, order] * np.sqrt(shares * len(levels))
    columns[known] = scaled[np.searchsorted(levels, positions[known])]
    return columns, shares


def believe(features: Features, board: Board, iterations: int = 12) -> Belief:
    """Fit the model to a board's told cells.

    Args:
        features: Features of the board's problem.
        board: Board with at least one told cell.
        iterations: Rounds of expectation maximisation, from the same start every time.

    Raises:
        ValueError: when the board holds no score.
    """
    if not board.count(TOLD):
        raise ValueError("a belief needs at least one cell that was told; this board has none.")
    rows = np.flatnonzero(board.per_config(TOLD))
    scored = board.state[rows] == TOLD
    scores = board.scores[rows]
    center = float(scores[scored].mean())
    # In units of their own spread, so that the starting variances fit every metric.
    unit = float(scores[scored].std()) or 1.0
    sums = _sum_up(features.values[rows], scored, (scores - center) / unit)
    parts = _expect_maximise(features, sums, iterations)
    width = features.values.shape[1]
    mean = features.values @ parts.weights[:width]
    shrink = parts.rough / (parts.rough + parts.noise / sums.counts)
    # Means free of their blocks pull the smooth part by the share of it that is not noise.
    known = sums.means - sums.shares @ parts.weights[width:]
    mean[rows] += shrink * (known - mean[rows])
    return Belief(
        mean=center + unit * mean,
        noise_sd=unit * float(np.sqrt(parts.noise)),
        rough_sd=unit * float(np.sqrt(parts.rough)),
        blocks=unit * parts.weights[width:],
        weights=unit * parts.weights,
        _root=unit * parts.root,
        _center=center,
        _features=features.values,
        _rows=rows,
        _shrink=shrink,
        _row_means=unit * sums.means,
        _row_shares=sums.shares,
    )


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sufficient statistics of the cells, by number of cells a config has.

    `design` has the smooth features and then the share of each block in the config's mean; the
    fields `within_...` hold the evidence on blocks from differences inside configs.
    """

    counts: IntArray
    means: FloatArray
    shares: FloatArray
    levels: FloatArray
    sizes: FloatArray
    gram: FloatArray
    cross: FloatArray
    squares: FloatArray
    within_gram: FloatArray
    within_cross: FloatArray
    within_square: float


def _sum_up(values: FloatArray, scored: BoolArray, scores: FloatArray) -> _Sums:
    counts = scored.sum(axis=1)
    scores = np.where(scored, scores, 0.0)
    means = scores.sum(axis=1) / counts
    shares = scored / counts[:, None]
    design = np.concatenate([values, shares], axis=1)
    # Configs with equally many cells have one variance of their mean: sums by count suffice.
    members = [counts == level for level in np.unique(counts)]
    off = np.where(scored, scores - means[:, None], 0.0)
    return _Sums(
        counts=counts,
        means=means,
        shares=shares,
        levels=np.unique(counts).astype(float),
        sizes=np.array([float(mine.sum()) for mine in members]),
        gram=np.stack([(design[mine].T @ design[mine]).ravel() for mine in members]),
        cross=np.stack([design[mine].T @ means[mine] for mine in members]),
        squares=np.array([means[mine] @ means[mine] for mine in members]),
        within_gram=np.diag(scored.sum(axis=0).astype(float)) - scored.T @ shares,
        within_cross=off.sum(axis=0),
        within_square=float(np.square(off).sum()),
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    """Fitted weights (features, then blocks), root of their covariance, variances."""

    weights: FloatArray
    root: FloatArray
    noise: float
    rough: float


def _expect_maximise(features: Features, sums: _Sums, iterations: int) -> _Parts:
    blocks, width = len(sums.within_cross), features.values.shape[1]
    own = slice(width, width + blocks)
    groups = np.concatenate([features.groups, np.full(blocks, len(features.prior))])
    start = np.concatenate([0.3 * features.prior, [0.3]])
    sizes = np.bincount(groups, minlength=len(start))
    variances, noise, rough = start.copy(), 0.5, 0.05
    freedom = float(sums.counts.sum() - len(sums.counts))
    # Weight of the starting values of noise and roughness: it vanishes once cells repeat.
    hold = 2 / (1 + freedom)
    for _ in range(iterations):
        # Posterior of all weights under the variances of the last round. A mean over n cells has
        # the variance rough + noise / n.
        precision = 1.0 / (rough + noise / sums.levels)
        gram = (precision @ sums.gram).reshape(width + blocks, width + blocks)
        gram[own, own] += sums.within_gram / noise
        cross = precision @ sums.cross
        cross[own] += sums.within_cross / noise
        # Scaled by the prior, I + S G S has no eigenvalue under 1: the root never breaks down.
        scale = np.sqrt(np.concatenate([[10.0], variances[groups]]))
        lower = np.linalg.cholesky(np.eye(len(scale)) + scale[:, None] * gram * scale)
        root = lapack.dtrtri(lower, lower=1)[0] * scale
        covariance = root.T @ root
        weights = covariance @ cross
        # Variances that fit that posterior best. A pseudo-observation of its start holds each, so
        # that a component with few cells stays where it was.
        second = weights**2 + np.diag(covariance)
        variances = (np.bincount(groups, second[1:], len(start)) + 0.1 * start) / (sizes + 0.1)
        spread = covariance[own, own] + np.outer(weights[own], weights[own])
        left = sums.within_square - 2 * weights[own] @ sums.within_cross
        noise = (left + (spread * sums.within_gram).sum() + hold * 0.5) / (freedom + hold)
        moment = (covariance + np.outer(weights, weights)).ravel()
        left_means = sums.squares - 2 * sums.cross @ weights + sums.gram @ moment
        # The fixed point of the update for `variances`, which gets there in fewer rounds.
        ratio = rough * precision
        rough = (ratio**2 @ left_means + hold * 0.05) / (sums.sizes @ ratio + hold)
    return _Parts(weights, root, float(noise), float(rough))
