"""Joint posterior of every config's score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import TOLD, Board, Problem
from search.strategies.model.features import Features
from search.strategies.model.mixed_model import posterior, sum_up

# Scores drawn at once, 16 MB: the allocator hands larger arrays back, and each page costs anew.
_DRAWN_AT_ONCE = 2_000_000


@dataclass(frozen=True, eq=False)
class Cells:
    """Told cells by config.

    Attributes:
        rows: Configs with any, (rows,).
        means: Mean of each one's cells, (rows,).
        shares: Share of each block in that mean, (rows, blocks).
        shrink: Share of the mean that is not noise, (rows,).
    """

    rows: IntArray
    means: FloatArray
    shares: FloatArray
    shrink: FloatArray


@dataclass(frozen=True, eq=False)
class Belief:
    """Joint posterior of every config's expected score.

    Attributes:
        mean: Posterior mean of each config's score over fresh cells, (configs,).
        noise_sd: Standard deviation of one cell's residual.
        rough_sd: Standard deviation of a config's own part.
        blocks: Effect of each block, (blocks,).
        weights: Posterior mean of the features' weights, then of the blocks'.
        own_sd: Standard deviation of each config's own part, given its cells, (configs,).
        root: Root of the weights' covariance, (weights, weights).
        center: Score that all others are taken from.
        features: Features of the configs.
        cells: Cells that were told.
        variances: Prior variance of each weight, (weights,).
        kept: Share of each feature's variance that is not luck of the rows, (features - 1,); None
            keeps all.
    """

    mean: FloatArray
    noise_sd: float
    rough_sd: float
    blocks: FloatArray
    weights: FloatArray
    own_sd: FloatArray
    root: FloatArray
    center: float
    features: Features
    cells: Cells
    variances: FloatArray
    kept: FloatArray | None = None

    def draw(
        self, draws: int, rng: np.random.Generator, among: IntArray | None = None
    ) -> FloatArray:
        """Joint draws of configs' expected scores, (configs, draws).

        Args:
            draws: Number of draws.
            rng: Source of chance.
            among: Configs that are drawn, ascending, (configs,); None draws all.
        """
        width = self.features.values.shape[1]
        # root.T @ root is the covariance, so root.T turns white noise into a draw of the weights.
        weights = self.weights[:, None] + self.root.T @ rng.standard_normal(
            (len(self.weights), draws)
        )
        cells = self.cells
        if among is None:
            scores, own_sd = self.features.values @ weights[:width], self.own_sd
            at, rows = cells.rows, np.arange(len(cells.rows))
        else:
            scores, own_sd = self.features.values[among] @ weights[:width], self.own_sd[among]
            _, at, rows = np.intersect1d(among, cells.rows, return_indices=True)
        # A config with cells moves to their mean, by the share of it that is not noise.
        known = cells.means[rows, None] - cells.shares[rows] @ weights[width:]
        moved = cells.shrink[rows, None] * (known - scores[at])
        if self.kept is not None:
            # Of the weights what is luck goes, and as much of their prior comes.
            kept = self.kept[:, None]
            scale = np.sqrt(kept * (1 - kept) * self.variances[1:width, None])
            weights[1:width] *= kept
            weights[1:width] += scale * rng.standard_normal((width - 1, draws))
            features = self.features.values if among is None else self.features.values[among]
            np.matmul(features, weights[:width], out=scores)
        scores[at] += moved
        # Single precision halves the time of the largest part, and noise needs no more digits.
        own = rng.standard_normal(scores.shape, np.float32)
        own *= own_sd[:, None].astype(np.float32)
        scores += own
        scores += self.center
        return np.asarray(scores)

    def expected(self) -> FloatArray:
        """Mean of each config over all draws, (configs,).

        It is `mean` but for what `kept` takes off.
        """
        values, cells = self.features.values, self.cells
        weights, blocks = np.split(self.weights, [values.shape[1]])
        smooth = values @ weights
        scores = smooth.copy()
        if self.kept is not None:
            scores = weights[0] + values[:, 1:] @ (self.kept * weights[1:])
        scores[cells.rows] += cells.shrink * (
            cells.means - cells.shares @ blocks - smooth[cells.rows]
        )
        return np.asarray(self.center + scores)

    def deviations(self) -> FloatArray:
        """Standard deviation of each config's expected score, about, (configs,).

        Of a config with cells a little too wide: the blocks' part is left out.
        """
        root = self.root[:, : self.features.values.shape[1]].astype(np.float32)
        smooth = (
            np.square(self.features.values.astype(np.float32) @ root.T).sum(axis=1).astype(float)
        )
        smooth[self.cells.rows] *= np.square(1.0 - self.cells.shrink)
        return np.asarray(np.sqrt(smooth + self.own_sd**2))

    def expecting(self, board: Board, coming: BoolArray) -> Belief:
        """Belief as wide as it will be with further cells.

        Their scores are unknown, so means stay; that they will come is known.

        Args:
            board: Board of the told cells.
            coming: Mask of the cells under way, bool (configs, blocks).
        """
        if not coming.any():
            return self
        scored = (board.state == TOLD) | coming
        rows = np.flatnonzero(scored.any(axis=1))
        sums = sum_up(
            self.features.values[rows], scored[rows], np.zeros((len(rows), scored.shape[1]))
        )
        rough, noise = self.rough_sd**2, self.noise_sd**2
        scale = np.sqrt(self.variances)
        root = posterior(sums, scale, 1.0 / (rough + noise / sums.levels), noise)
        own_sd = np.full(len(self.mean), self.rough_sd)
        own_sd[rows] *= np.sqrt(1.0 - rough / (rough + noise / sums.counts))
        return replace(self, own_sd=own_sd, root=root)


def p_best(
    beliefs: Sequence[Belief], problem: Problem, draws: int = 2000, seed: int = 0
) -> FloatArray:
    """Probability that each config's expected score is the best, (configs,).

    Args:
        beliefs: Beliefs that are equally likely.
        problem: Problem whose best is meant.
        draws: Number of draws, about.
        seed: Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    wins = np.zeros(problem.configs)
    of_each = -(-draws // len(beliefs))
    at_once = min(200, max(_DRAWN_AT_ONCE // problem.configs, 1))
    for belief in beliefs:
        for done in range(0, of_each, at_once):
            scores = belief.draw(min(at_once, of_each - done), rng)
            scores *= problem.sign
            # Configs that cannot differ share the probability, whichever stands first.
            scores += 1e-9 * belief.noise_sd * rng.standard_normal(scores.shape, np.float32)
            wins += np.bincount(scores.argmax(axis=0), minlength=problem.configs)
    return np.asarray(wins / wins.sum())
