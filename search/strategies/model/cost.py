"""Seconds that each config's cells take, from those told so far."""

from __future__ import annotations

import numpy as np

from search.arrays import FloatArray
from search.strategies.board import Board
from search.strategies.model.features import Features

# Main effects of a few axes say nearly all of what a cell costs.
_MOST_FEATURES = 40
_RIDGE = 0.001


def predict_seconds(features: Features, board: Board) -> FloatArray | None:
    """Seconds of a cell of each config, (configs,).

    A config with timed cells has their mean; the others' follows from the axes, by ridge regression
    of its logarithm.

    Returns:
        None while no timed cell is there.
    """
    timed = np.flatnonzero(board.timed)
    if not len(timed):
        return None
    own = board.seconds[timed] / board.timed[timed]
    logs = np.log(np.maximum(own, 1e-6))
    design = features.values[:, 1 : 1 + _MOST_FEATURES]
    # Axes before pairs of them, as their effects on a score are.
    design = design * features.prior[features.groups[:_MOST_FEATURES]]
    rows, center = design[timed], float(logs.mean())
    gram = rows.T @ rows + _RIDGE * np.eye(rows.shape[1])
    guess = center + design @ np.linalg.solve(gram, rows.T @ (logs - center))
    # No further than what was seen: a slope over two values of an axis has no end.
    seconds = np.exp(np.clip(guess, logs.min(), logs.max()))
    seconds[timed] = own
    return np.asarray(seconds)
