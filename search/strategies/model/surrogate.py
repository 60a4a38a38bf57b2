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

from dataclasses import dataclass, replace

import numpy as np

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import TOLD, Board, Problem
from search.strategies.model.features import Features, build_features
from search.strategies.model.luck import estimate_luck
from search.strategies.model.mixed_model import expect_maximise, posterior, sum_up, weigh

# Of scores that are all alike: their least spread, as a share of their size.
_LEAST_SPREAD = 1e-9
# Of configs that differ by no more than luck something is kept, so that the better is ahead.
_LEAST_KEPT = 0.02
# Scores drawn at once, 16 MB: the allocator hands larger arrays back, and each page costs anew.
_DRAWN_AT_ONCE = 2_000_000


@dataclass(frozen=True, eq=False)
class _Cells:
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
        kept: Share of the smooth part's differences that is not luck of the rows.
    """

    mean: FloatArray
    noise_sd: float
    rough_sd: float
    blocks: FloatArray
    weights: FloatArray
    own_sd: FloatArray
    _root: FloatArray
    _center: float
    _features: FloatArray
    _cells: _Cells
    _variances: FloatArray
    kept: float = 1.0

    def draw(
        self, draws: int, rng: np.random.Generator, among: IntArray | None = None
    ) -> FloatArray:
        """Joint draws of configs' expected scores, (configs, draws).

        Args:
            draws: Number of draws.
            rng: Source of chance.
            among: Configs that are drawn, ascending, (configs,); None draws all.
        """
        width = self._features.shape[1]
        # root.T @ root is the covariance, so root.T turns white noise into a draw of the weights.
        weights = self.weights[:, None] + self._root.T @ rng.standard_normal(
            (len(self.weights), draws)
        )
        cells = self._cells
        if among is None:
            scores, own_sd = self._features @ weights[:width], self.own_sd
            at, rows = cells.rows, np.arange(len(cells.rows))
        else:
            scores, own_sd = self._features[among] @ weights[:width], self.own_sd[among]
            _, at, rows = np.intersect1d(among, cells.rows, return_indices=True)
        # A config with cells moves to their mean, by the share of it that is not noise.
        known = cells.means[rows, None] - cells.shares[rows] @ weights[width:]
        moved = cells.shrink[rows, None] * (known - scores[at])
        if self.kept < 1.0:
            # Of the weights what is luck goes, and as much of their prior comes.
            scale = np.sqrt(self.kept * (1 - self.kept) * self._variances[1:width, None])
            weights[1:width] *= self.kept
            weights[1:width] += scale * rng.standard_normal((width - 1, draws))
            features = self._features if among is None else self._features[among]
            np.matmul(features, weights[:width], out=scores)
        scores[at] += moved
        # Single precision halves the time of the largest part, and noise needs no more digits.
        own = rng.standard_normal(scores.shape, np.float32)
        own *= own_sd[:, None].astype(np.float32)
        scores += own
        scores += self._center
        return np.asarray(scores)

    def expected(self) -> FloatArray:
        """Mean of each config over all draws, (configs,).

        It is `mean` but for what `kept` takes off.
        """
        width, cells = self._features.shape[1], self._cells
        smooth = self._features @ self.weights[:width]
        known = cells.means - cells.shares @ self.weights[width:]
        scores = self.weights[0] + self.kept * (smooth - self.weights[0])
        scores[cells.rows] += cells.shrink * (known - smooth[cells.rows])
        return np.asarray(self._center + scores)

    def deviations(self) -> FloatArray:
        """Standard deviation of each config's expected score, about, (configs,).

        Of a config with cells a little too wide: the blocks' part is left out.
        """
        root = self._root[:, : self._features.shape[1]].astype(np.float32)
        smooth = np.square(self._features.astype(np.float32) @ root.T).sum(axis=1).astype(float)
        smooth[self._cells.rows] *= np.square(1.0 - self._cells.shrink)
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
        sums = sum_up(self._features[rows], scored[rows], np.zeros((len(rows), scored.shape[1])))
        rough, noise = self.rough_sd**2, self.noise_sd**2
        scale = np.sqrt(self._variances)
        root = posterior(sums, scale, 1.0 / (rough + noise / sums.levels), noise)
        own_sd = np.full(len(self.mean), self.rough_sd)
        own_sd[rows] *= np.sqrt(1.0 - rough / (rough + noise / sums.counts))
        return replace(self, own_sd=own_sd, _root=root)

    def on_fresh_rows(self, board: Board, test_share: float) -> Belief:
        """Belief on the scores of the same models on fresh rows.

        Every cell of a sweep is scored on the same rows. What these do to a config stays when cells
        repeat, so the model takes it for the config's own; on fresh rows it is gone. Its variance
        comes from the cells (luck.py). It widens every config's mean by itself, as if neighbours
        had none of it in common; and of what the model took for quality, the smooth part and
        configs' own, the share goes that luck has in the differences.

        Args:
            board: Board of the told cells that this belief was fitted to.
            test_share: Share of the rows that a cell holds out.
        """
        rows, width = self._cells.rows, self._features.shape[1]
        scored, scores = board.state[rows] == TOLD, board.scores[rows]
        rounds = np.array(board.problem.rounds) if board.problem.rounds else None
        luck = estimate_luck(scores - self.blocks, scored, rounds, test_share, self.noise_sd**2)
        smooth = np.square(self._features[:, 1:]).mean(axis=0) @ self._variances[1:width]
        spread = float(smooth) + self.rough_sd**2
        kept = max(1 - luck.rows / spread, _LEAST_KEPT) if spread > luck.rows else _LEAST_KEPT
        rough = kept * self.rough_sd**2
        sums = sum_up(self._features[rows], scored, scores - self._center)
        precision = 1.0 / (rough + luck.of_means(sums.levels))
        root = posterior(sums, np.sqrt(self._variances), precision, luck.cell)
        weights = root.T @ (root @ weigh(sums, precision, luck.cell))
        shrink = rough * precision[np.searchsorted(sums.levels, sums.counts)]
        own_sd = np.full(len(self.mean), np.sqrt(rough))
        own_sd[rows] *= np.sqrt(1.0 - shrink)
        mean = self._features @ weights[:width]
        mean[rows] += shrink * (sums.means - sums.shares @ weights[width:] - mean[rows])
        return replace(
            self,
            mean=self._center + mean,
            blocks=weights[width:],
            weights=weights,
            own_sd=own_sd,
            kept=kept,
            _root=root,
            _cells=_Cells(rows, sums.means, sums.shares, shrink),
        )

    def p_best(self, problem: Problem, draws: int = 2000, seed: int = 0) -> FloatArray:
        """Probability that each config's expected score is the best, (configs,).

        Args:
            problem: Problem whose best is meant.
            draws: Number of draws.
            seed: Seed of the draws.
        """
        rng = np.random.default_rng(seed)
        wins = np.zeros(problem.configs)
        at_once = min(200, max(_DRAWN_AT_ONCE // problem.configs, 1))
        for done in range(0, draws, at_once):
            scores = self.draw(min(at_once, draws - done), rng)
            scores *= problem.sign
            # Configs that cannot differ share the probability, whichever stands first.
            scores += 1e-9 * self.noise_sd * rng.standard_normal(scores.shape, np.float32)
            wins += np.bincount(scores.argmax(axis=0), minlength=problem.configs)
        return wins / draws


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
        _root=unit * parts.root,
        _center=center,
        _features=features.values,
        _cells=_Cells(rows, unit * sums.means, sums.shares, shrink),
        _variances=unit**2 * parts.variances,
    )
