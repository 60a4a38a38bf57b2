"""Luck of the rows that neighbours share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from search.arrays import BoolArray, FloatArray, IntArray


def follows_axes(
    residuals: FloatArray,
    scored: BoolArray,
    parts: Sequence[FloatArray],
    rounds: IntArray | None,
    test_share: float,
) -> FloatArray:
    """Variance along each axis of the luck that neighbours share.

    The rows of a block are lucky for neighbours together, while noise of training is each cell's
    own: so of two configs in one block the product of residuals shows, on average, luck alone. It
    is fitted to their covariances along the axes by least squares, over all pairs of all blocks.

    Args:
        residuals: Score less its block's effect, (configs, blocks).
        scored: Mask of told cells, bool (configs, blocks).
        parts: Features of each axis or pair, (configs, features); products of two configs' are
            their covariance.
        rounds: Round of each block, (blocks,); None where they are unknown.
        test_share: Share of the rows that a block holds out.

    Returns:
        Factor of each part's covariance, (parts,).
    """
    if not parts:
        return np.zeros(0)
    counts = scored.sum(axis=1)
    rounds = np.arange(scored.shape[1]) if rounds is None else rounds
    each = np.maximum(counts, 1)
    member = np.eye(int(rounds.max()) + 1)[rounds]
    pairs = np.square(scored @ member).sum(axis=1)
    # Share of a cell's variance that is left once the config's mean is taken off.
    left = 1 - (counts + test_share * (counts**2 - pairs)) / each**2
    usable = scored & ((left > 0) & (counts > 1))[:, None]
    own = np.where(scored, residuals, 0.0).sum(axis=1) / each
    scaled = (residuals - own[:, None]) / np.sqrt(np.where(left > 0, left, 1.0))[:, None]
    ends = np.cumsum([0, *(part.shape[1] for part in parts)])[:-1]
    features = np.concatenate(parts, axis=1)
    products, squares = np.zeros(len(parts)), np.zeros((len(parts), len(parts)))
    for block in range(scored.shape[1]):
        mine = usable[:, block]
        count = int(mine.sum())
        if count < 3:
            continue
        axes = features[mine] - features[mine].mean(axis=0)
        values = scaled[mine, block] - scaled[mine, block].mean()
        same = np.add.reduceat(np.square(axes), ends, axis=1)
        products += np.add.reduceat(np.square(axes.T @ values), ends) - np.square(values) @ same
        # Centred, residuals of their own are each other's opposites a little.
        products += np.square(values).sum() / (count - 1) * same.mean(axis=0)
        both = np.square(axes.T @ axes)
        squares += np.add.reduceat(np.add.reduceat(both, ends, axis=0), ends, axis=1)
        squares -= same.T @ same
    told = np.flatnonzero(np.diag(squares) > 0)
    found = np.zeros(len(parts))
    if len(told):
        found[told] = optimize.nnls(squares[np.ix_(told, told)], products[told])[0]
    return found
