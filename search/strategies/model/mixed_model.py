"""Linear mixed model of cells, fitted by expectation maximisation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.model.features import Features


@dataclass(frozen=True, eq=False)
class Sums:
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


def sum_up(values: FloatArray, scored: BoolArray, scores: FloatArray) -> Sums:
    """Sum up the cells of configs.

    Args:
        values: Features of each config, float (configs, features).
        scored: Mask of their told cells, bool (configs, blocks), one at least in each row.
        scores: Their scores, float (configs, blocks).
    """
    counts = scored.sum(axis=1)
    scores = np.where(scored, scores, 0.0)
    means = scores.sum(axis=1) / counts
    shares = scored / counts[:, None]
    design = np.concatenate([values, shares], axis=1)
    # Configs with equally many cells have one variance of their mean: sums by count suffice.
    members = [counts == level for level in np.unique(counts)]
    off = np.where(scored, scores - means[:, None], 0.0)
    return Sums(
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
class Parts:
    """Fitted weights (features, then blocks), root of their covariance, variances."""

    weights: FloatArray
    root: FloatArray
    noise: float
    rough: float
    variances: FloatArray


def posterior(sums: Sums, scale: FloatArray, precision: FloatArray, noise: float) -> FloatArray:
    """Root of the weights' covariance, (weights, weights).

    Args:
        sums: Sums of the cells.
        scale: Prior deviation of each weight, (weights,).
        precision: Precision of a mean by its number of cells, (levels,).
        noise: Variance of a cell's residual.
    """
    blocks = len(sums.within_cross)
    own = slice(len(scale) - blocks, len(scale))
    gram = (precision @ sums.gram).reshape(len(scale), len(scale))
    gram[own, own] += sums.within_gram / noise
    # Scaled by the prior, I + S G S has no eigenvalue under 1: the root never breaks down.
    lower = np.linalg.cholesky(np.eye(len(scale)) + scale[:, None] * gram * scale)
    return np.asarray(lapack.dtrtri(lower, lower=1)[0] * scale)


def weigh(sums: Sums, precision: FloatArray, noise: float) -> FloatArray:
    """Evidence of the cells on each weight, (weights,)."""
    cross = np.asarray(precision @ sums.cross)
    cross[len(cross) - len(sums.within_cross) :] += sums.within_cross / noise
    return cross


def expect_maximise(features: Features, sums: Sums, iterations: int) -> Parts:
    """Fit weights and variances by turns.

    Args:
        features: Features, of which the prior shares and the groups are used.
        sums: Sums of the cells, in units of their spread.
        iterations: Rounds.
    """
    blocks, width = len(sums.within_cross), features.values.shape[1]
    own = slice(width, width + blocks)
    groups = np.concatenate([features.groups, np.full(blocks, len(features.prior))])
    start = np.concatenate([0.3 * features.prior, [0.3]])
    sizes = np.bincount(groups, minlength=len(start))
    noise, rough = 0.5, 0.05
    prior = np.concatenate([[10.0], start[groups]])
    freedom = float(sums.counts.sum() - len(sums.counts))
    # Weight of the starting values of noise and roughness: it vanishes once cells repeat.
    hold = 2 / (1 + freedom)
    for _ in range(iterations):
        # Posterior of all weights under the variances of the last round.
        # A mean over n cells has the variance rough + noise / n.
        precision = 1.0 / (rough + noise / sums.levels)
        root = posterior(sums, np.sqrt(prior), precision, noise)
        covariance = root.T @ root
        weights = covariance @ weigh(sums, precision, noise)
        # Variances that fit that posterior best. A pseudo-observation of its start holds each, so
        # that a component with few cells stays where it was.
        second = weights**2 + np.diag(covariance)
        variances = (np.bincount(groups, second[1:], len(start)) + 0.1 * start) / (sizes + 0.1)
        prior = np.concatenate([[10.0], variances[groups]])
        spread = covariance[own, own] + np.outer(weights[own], weights[own])
        left = sums.within_square - 2 * weights[own] @ sums.within_cross
        noise = float(left + (spread * sums.within_gram).sum() + hold * 0.5) / (freedom + hold)
        moment = (covariance + np.outer(weights, weights)).ravel()
        left_means = sums.squares - 2 * sums.cross @ weights + sums.gram @ moment
        # The fixed point of the update for `variances`, which gets there in fewer rounds.
        ratio = rough * precision
        rough = float((ratio**2 @ left_means + hold * 0.05) / (sums.sizes @ ratio + hold))
    return Parts(weights, root, noise, rough, prior)
