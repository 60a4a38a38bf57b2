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

import numpy as np

from search.strategies.board import TOLD, Board, Problem
from search.strategies.model.belief import Belief, Cells
from search.strategies.model.features import Features, build_features
from search.strategies.model.mixed_model import expect_maximise, sum_up

# Of scores that are all alike: their least spread, as a share of their size.
_LEAST_SPREAD = 1e-9


class Believer:
    """Beliefs on a problem's boards, each fitted once.

    Attributes:
        features: Features of the problem.
    """

    def __init__(self, problem: Problem) -> None:
        self.features = build_features(problem)
        self._last: tuple[int, Belief] | None = None

    def belief(self, board: Board) -> Belief:
        """Posterior of every config's score, fitted once per set of told cells."""
        count = board.count(TOLD)
        if self._last is None or self._last[0] != count:
            self._last = (count, believe(self.features, board))
        return self._last[1]


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
    # In units of their own spread, so that the starting variances fit every metric. A metric that
    # is constant has none: what is left then is next to nothing, and every margin is wider.
    unit = max(float(scores[scored].std()), _LEAST_SPREAD * max(1.0, abs(center)))
    sums = sum_up(features.values[rows], scored, (scores - center) / unit)
    parts = expect_maximise(features, sums, iterations)
    width = features.values.shape[1]
    mean = features.values @ parts.weights[:width]
    shrink = parts.rough / (parts.rough + parts.noise / sums.counts)
    # Means free of their blocks pull the smooth part by the share of it that is not noise.
    known = sums.means - sums.shares @ parts.weights[width:]
    mean[rows] += shrink * (known - mean[rows])
    own_sd = np.full(len(mean), unit * float(np.sqrt(parts.rough)))
    # A config with cells keeps of its own part what these leave open.
    own_sd[rows] *= np.sqrt(1.0 - shrink)
    return Belief(
        mean=center + unit * mean,
        noise_sd=unit * float(np.sqrt(parts.noise)),
        rough_sd=unit * float(np.sqrt(parts.rough)),
        blocks=unit * parts.weights[width:],
        weights=unit * parts.weights,
        own_sd=own_sd,
        root=unit * parts.root,
        center=center,
        features=features,
        cells=Cells(rows, unit * sums.means, sums.shares, shrink),
        variances=unit**2 * parts.variances,
    )
