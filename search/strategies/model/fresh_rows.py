"""Beliefs on the scores of the same models on fresh rows.

Every cell of a sweep is scored on the same rows. What these do to a config stays when cells repeat,
so the model takes it for the config's own; on fresh rows it is gone. Its variance comes from the
cells (luck.py).

The cells of a finished grid also tell what luck neighbours have in common (shared_luck.py), and
so what each axis and pair has of it. How much of what is seen along an axis is quality, few values
of it tell poorly: that share is integrated over, as likely before at any value (the uniform
shrinkage prior; Daniels 1999, A prior for the variance in hierarchical models). A race's few cells
do not tell the common part: there all luck widens every config by itself, and is taken off once
more of what the model took for quality.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from search.arrays import FloatArray, IntArray
from search.strategies.board import TOLD, Board
from search.strategies.model.belief import Belief, Cells
from search.strategies.model.luck import Luck, estimate_luck
from search.strategies.model.mixed_model import Sums, posterior, sum_up, weigh
from search.strategies.model.shared_luck import follows_axes

# Of configs that differ by no more than luck something is kept, so that the better is ahead.
_LEAST_KEPT = 0.02
# Beliefs that stand for all: as many as change no figure in its second digit.
_BELIEFS = 24
# Shares of what is seen that are quality, each as likely before.
_SHARES = (np.arange(100) + 0.5) / 100
# Prior variance of weights that the cells alone are to tell, in units of a mean's.
_BROAD = 1e4


@dataclass(frozen=True)
class _Evidence:
    """Sums of the cells and their luck, whatever the variances of quality.

    Attributes:
        rows: Configs with cells, (rows,).
        sums: Sums of their cells.
        luck: Luck that each config has of its own, and noise.
    """

    rows: IntArray
    sums: Sums
    luck: Luck


def on_fresh_rows(
    belief: Belief, board: Board, test_share: float, finished: bool
) -> tuple[Belief, ...]:
    """Beliefs on fresh rows, equally likely.

    Args:
        belief: Belief that was fitted to the board.
        board: Board of the told cells.
        test_share: Share of the rows that a cell holds out.
        finished: True where no config lacks cells, but for those that failed.
    """
    rows = belief.cells.rows
    scored, scores = board.state[rows] == TOLD, board.scores[rows]
    rounds = np.array(board.problem.rounds) if board.problem.rounds else None
    residuals = scores - belief.blocks
    luck = estimate_luck(residuals, scored, rounds, test_share, belief.noise_sd**2)
    sums = sum_up(belief.features.values[rows], scored, scores - belief.center)
    if not finished:
        return (_less_luck(belief, _Evidence(rows, sums, luck)),)
    parts = [belief.features.values[np.ix_(rows, 1 + of)] for of in _groups(belief)]
    shared = test_share * follows_axes(residuals, scored, parts, rounds, test_share)
    in_all = float(shared @ [np.square(part).sum(axis=1).mean() for part in parts])
    if in_all > luck.rows:
        shared *= luck.rows / in_all
    own = replace(luck, rows=max(luck.rows - in_all, 0.0))
    return _integrated(belief, _Evidence(rows, sums, own), shared)


def expected(beliefs: tuple[Belief, ...]) -> FloatArray:
    """Mean of each config over all draws of beliefs, (configs,)."""
    return np.asarray(np.mean([belief.expected() for belief in beliefs], axis=0))


def _groups(belief: Belief) -> list[IntArray]:
    """Features of each axis and pair, the constant not counted."""
    groups = belief.features.groups
    return [np.flatnonzero(groups == each) for each in np.unique(groups)]


def _less_luck(belief: Belief, evidence: _Evidence) -> Belief:
    """Belief with the share of luck taken off all differences."""
    features = belief.features.values[:, 1:]
    own = belief.rough_sd**2
    spread = float(np.square(features).mean(axis=0) @ belief.variances[1 : 1 + features.shape[1]])
    spread += own
    luck = evidence.luck.rows
    kept = max(1 - luck / spread, _LEAST_KEPT) if spread > luck else _LEAST_KEPT
    return _refitted(
        belief, evidence, belief.variances, np.full(features.shape[1], kept), kept * own
    )


def _integrated(belief: Belief, evidence: _Evidence, shared: FloatArray) -> tuple[Belief, ...]:
    """Beliefs under likely variances of quality.

    Args:
        belief: Belief whose variances hold quality and luck.
        evidence: What the cells tell.
        shared: Variance of luck along each axis and pair, (groups,).
    """
    rng = np.random.default_rng(0)
    sums, width = evidence.sums, belief.features.values.shape[1]
    means = belief.rough_sd**2 + evidence.luck.cell / sums.levels
    broad = belief.variances.copy()
    broad[1:width] = _BROAD * means.mean()
    root = posterior(sums, np.sqrt(broad), 1 / means, evidence.luck.cell)
    covariance = root.T @ root
    told = covariance @ weigh(sums, 1 / means, evidence.luck.cell)

    groups = _groups(belief)
    quality = np.zeros((len(groups), _BELIEFS))
    for of, luck, into in zip(groups, shared, quality, strict=True):
        errors, turned = np.linalg.eigh(covariance[np.ix_(1 + of, 1 + of)])
        squares = np.square(turned.T @ told[1 + of])
        into[:] = _quality(squares, luck + errors, np.ones(len(of)), rng)
    # A config's own part is what the features leave of its mean.
    noise = evidence.luck.of_means(sums.levels)
    left = sums.sizes * (1 - _freedom(belief, width) / sums.sizes.sum())
    own = _quality(means, noise, np.maximum(left, 1 / len(left)), rng)

    beliefs = []
    for each, rough in zip(quality.T, own, strict=True):
        variances, kept = belief.variances.copy(), np.ones(width - 1)
        for of, share, luck in zip(groups, each, shared, strict=True):
            variances[1 + of] = share + luck
            kept[of] = share / (share + luck)
        beliefs.append(_refitted(belief, evidence, variances, kept, float(rough)))
    return tuple(beliefs)


def _freedom(belief: Belief, width: int) -> float:
    """Number of features that the cells tell, a sum of shares."""
    deviations = np.square(belief.root[:, :width]).sum(axis=0)
    return float((1 - deviations / belief.variances[:width]).sum())


def _quality(
    squares: FloatArray, errors: FloatArray, weights: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draw a variance of quality for each belief from its posterior.

    Args:
        squares: Squares of normal values, or means of such, (values,).
        errors: Variance of each but for quality, (values,).
        weights: Number of squares in each, (values,).
        rng: Source of chance.
    """
    variances = np.median(errors) * _SHARES / (1 - _SHARES)
    total = variances[:, None] + errors
    likelihoods = -0.5 * (np.log(total) + squares / total) @ weights
    weight = np.exp(likelihoods - likelihoods.max())
    # One of each stratum: few draws, spread as the posterior is.
    at = (rng.permutation(_BELIEFS) + rng.random(_BELIEFS)) / _BELIEFS
    places = np.searchsorted(np.cumsum(weight) / weight.sum(), at)
    return np.asarray(variances[np.minimum(places, len(variances) - 1)])


def _refitted(
    belief: Belief, evidence: _Evidence, variances: FloatArray, kept: FloatArray, rough: float
) -> Belief:
    """Belief under other variances.

    Args:
        belief: Belief that is fitted anew.
        evidence: What the cells tell.
        variances: Prior variance of each weight, quality and luck, (weights,).
        kept: Share of quality in that of each feature, (features - 1,).
        rough: Variance of a config's own part that is quality.
    """
    rows, sums, luck = evidence.rows, evidence.sums, evidence.luck
    values = belief.features.values
    width = values.shape[1]
    precision = 1.0 / (rough + luck.of_means(sums.levels))
    root = posterior(sums, np.sqrt(variances), precision, luck.cell)
    weights = root.T @ (root @ weigh(sums, precision, luck.cell))
    shrink = rough * precision[np.searchsorted(sums.levels, sums.counts)]
    own_sd = np.full(len(belief.mean), np.sqrt(rough))
    own_sd[rows] *= np.sqrt(1.0 - shrink)
    mean = values @ weights[:width]
    mean[rows] += shrink * (sums.means - sums.shares @ weights[width:] - mean[rows])
    return replace(
        belief,
        mean=belief.center + mean,
        blocks=weights[width:],
        weights=weights,
        own_sd=own_sd,
        kept=kept,
        root=root,
        cells=Cells(rows, sums.means, sums.shares, shrink),
        variances=variances,
    )
