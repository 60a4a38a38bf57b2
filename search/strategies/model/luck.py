"""Luck of the rows, which fresh rows would not repeat.

Every cell of a sweep is scored on the same rows. The part of a cell's score that these rows give to
a config stays when its cells repeat. Fields of one cell's residual, free of blocks:

    cell        its variance: test rows and training together
    rows        variance of the luck of all rows together, in a config's expected score

The folds of a seed together hold out every row once, so the luck of the rows cancels in their mean
and the noise of training does not. With M rows held out of N, luck variance S per row and training
variance V, cells of a config have the variance S/M + V, the covariance 0 within a seed (for a
partition of drawn rows) and S/N between seeds: `rows` is S/N. So the spread between a config's
seeds, against that between its folds, tells luck and training apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.arrays import BoolArray, FloatArray, IntArray

# Shares of a cell's residual that may be luck, each as likely before the cells are seen.
_SHARES = (np.arange(40) + 0.5) / 40
_LEAST_NOISE = 1e-3


@dataclass(frozen=True)
class Luck:
    """Variances of what rows and training did to cells.

    Attributes:
        cell: Variance of one cell's residual.
        rows: Variance of the luck of all rows in a config's expected score.
        rounds: Number of rounds of blocks that hold out every row once; 0 where they are unknown.
    """

    cell: float
    rows: float
    rounds: int

    def of_means(self, counts: FloatArray) -> FloatArray:
        """Variance of means of cells about the score on fresh rows.

        Args:
            counts: Numbers of cells, spread over the rounds as evenly as they can be.
        """
        if not self.rounds:
            return np.asarray(self.cell / counts + self.rows)
        each, more = np.divmod(counts, self.rounds)
        pairs = more * (each + 1) ** 2 + (self.rounds - more) * each**2
        return np.asarray(self.cell / counts + self.rows * (1 - pairs / counts**2))


def estimate_luck(
    scores: FloatArray,
    scored: BoolArray,
    rounds: IntArray | None,
    test_share: float,
    noise: float,
) -> Luck:
    """Estimate the luck of the rows from the cells of configs.

    Args:
        scores: Score less its block's effect, (configs, blocks).
        scored: Mask of told cells, bool (configs, blocks).
        rounds: Round of each block, (blocks,); None where they are unknown.
        test_share: Share of the rows that a block holds out.
        noise: Variance of a cell's residual, of which none is known to be training where rounds
            are unknown.
    """
    several = scored.sum(axis=1) > 1
    scored = scored[several]
    scores = np.where(scored, scores[several], 0.0)
    if rounds is None:
        return Luck(noise, noise * test_share / (1 - test_share), 0)
    cell, luck = _by_rounds(scores, scored, rounds, test_share)
    # Cells that repeat to the last digit: the model's noise is the least that it reckons with.
    if not cell > _LEAST_NOISE * noise:
        cell, luck = noise, noise * test_share / 2
    return Luck(cell, luck, int(rounds.max()) + 1)


def _by_rounds(
    scores: FloatArray, scored: BoolArray, rounds: IntArray, test_share: float
) -> tuple[float, float]:
    """Variance of a cell's residual, and of the luck of all rows.

    Means of the restricted likelihood, each config's mean taken off, with all shares of luck
    equally likely before.
    """
    member = np.eye(int(rounds.max()) + 1)[rounds]
    counts = scored @ member
    some = counts > 0
    means = np.divide(scores @ member, counts, out=np.zeros_like(counts), where=some)
    within = float(np.square(np.where(scored, scores - means[:, rounds], 0.0)).sum())
    freedom = int(scored.sum()) - len(scored)
    likelihoods, cells = np.zeros(len(_SHARES)), np.zeros(len(_SHARES))
    for i, share in enumerate(_SHARES):
        # In units of a cell's variance; luck that all rounds share is in the config's mean.
        variances = 1 / np.maximum(counts, 1) - share * test_share
        weights = np.where(some, 1 / variances, 0.0)
        total = weights.sum(axis=1)
        center = (weights * means).sum(axis=1) / total
        squares = within + float((weights * np.square(means - center[:, None])).sum())
        cells[i] = squares / max(freedom, 1)
        if not cells[i] > 0:
            return 0.0, 0.0
        volume = np.log(variances[some]).sum() + np.log(total).sum()
        likelihoods[i] = -0.5 * (volume + freedom * np.log(cells[i]))
    weight = np.exp(likelihoods - likelihoods.max())
    weight /= weight.sum()
    return float(weight @ cells), float(weight @ (_SHARES * test_share * cells))
