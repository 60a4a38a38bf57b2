"""The pooled-variance race of R's finetune, which drops significantly worse configs.

As `finetune::tune_race_anova` does (Kuhn, Futility Analysis in the Cross-Validation of Machine
Learning Models, 2014, arXiv:1405.6974): after three blocks of the one shared random order, and
after each block more, the model

    score(c, b) = config(c) + block(b) + noise(c, b)

is fitted to the configs still in, the variance of the noise pooled over all of them. A config
leaves when the one-sided 95% Wald bound of its difference to the best lies below zero. Two that
stay together for ten blocks are parted by their means; the last one gets its remaining blocks.

All that are in have the same blocks, so the fit has a closed form: the residual is the rest
after the means of configs and of blocks, with (configs - 1)(blocks - 1) degrees of freedom, and a
difference of two means has the variance 2 variance / blocks. `finetune` documents a one-sided
bound of level 0.95 and computes one of 0.975; this is the documented one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import ASKED, FAILED, OPEN, TOLD, Board, Problem
from search.strategies.sequential import first_then

_BURN_IN = 3
_ALPHA = 0.05
_TIES = 10
# Share of the remaining budget for a heat's burn-in; the rest is for its survivors.
_BURN_IN_SHARE = 0.5


def beaten(scores: FloatArray, alpha: float = _ALPHA) -> BoolArray:
    """Mask of configs significantly worse than the best one, (configs,).

    Args:
        scores: Higher is better, float (configs, blocks), none missing, at least 2 x 2.
        alpha: One-sided level of each Wald bound, uncorrected for the number of configs.
    """
    configs, blocks = scores.shape
    means = scores.mean(axis=1)
    residual = scores - means[:, None] - scores.mean(axis=0) + scores.mean()
    variance = np.square(residual).sum() / ((configs - 1) * (blocks - 1))
    margin = stats.norm.ppf(1 - alpha) * np.sqrt(2 * variance / blocks)
    # Equals stay in even where nothing varies at all.
    return np.asarray(means.max() - means > margin)


@dataclass(frozen=True, eq=False)
class _Heat:
    """State of a heat.

    Attributes:
        alive: Configs still in.
        blocks: Number of blocks that they all share.
        open: Cells to train next, (cells, 2).
        over: True once a winner stands.
    """

    alive: IntArray
    blocks: int
    open: IntArray
    over: bool


class PooledRace:
    """Pooled-variance race of all configs, or heats within a budget.

    Without a budget, or with a large one, it is one race of all configs that ends by itself. A
    budget that cannot give every config its burn-in is spent in heats: configs drawn at random race
    (half of the remaining budget for their burn-in), then others race against the winner.

    Args:
        problem: Problem to solve.
        seed: Seed of the order in which configs enter; the first guesses come first.
        max_cells: Budget; None sets no limit.
    """

    def __init__(self, problem: Problem, seed: int, max_cells: int | None = None) -> None:
        self._problem = problem
        order = np.random.default_rng(seed).permutation(problem.configs)
        self._order = first_then(problem, order)
        self._max_cells = max_cells
        self._burn_in = min(_BURN_IN, problem.blocks)

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells of the current heat, none while it waits, (cells, 2)."""
        return self._heat(board).open[:limit]

    def winner(self, board: Board) -> int | None:
        """Best mean over the blocks that the current heat's survivors share.

        A budget may end a heat before anyone is complete; then the best survivor is named.
        """
        heat = self._heat(board)
        rivals = np.union1d(heat.alive, np.flatnonzero(board.complete()))
        if not len(rivals):  # the last one in lost a cell: back to all that have lost none
            rivals = np.flatnonzero(board.per_config(FAILED) == 0)
        leading = np.cumprod(board.state[rivals] == TOLD, axis=1).sum(axis=1)
        shared = min(leading.max(initial=0), heat.blocks) or leading.max(initial=0)
        if not shared:
            return None
        rivals = rivals[leading >= shared]
        return int(self._best(board, rivals, shared)[0])

    def _heat(self, board: Board) -> _Heat:
        """Replay the heats from the board, up to the first unfinished one."""
        entered, champion = 0, np.zeros(0, np.int64)
        while True:
            fresh = self._order[entered : entered + self._entrants(board, entered)]
            entered += len(fresh)
            heat = self._race(board, np.concatenate([champion, fresh]))
            if not heat.over or not len(fresh):
                return heat
            champion = heat.alive

    def _entrants(self, board: Board, entered: int) -> int:
        if self._max_cells is None:
            return self._problem.configs
        before = np.union1d(self._order[:entered], self._problem.floor).astype(np.int64)
        used = board.per_config(TOLD, FAILED)[before].sum()
        floor = np.array(self._problem.floor, np.int64)
        used += board.per_config(OPEN, ASKED)[floor].sum()
        room = self._max_cells - int(used)
        if room < self._burn_in:
            return 0
        return max(int(_BURN_IN_SHARE * room) // self._burn_in, 1)

    def _race(self, board: Board, field: IntArray) -> _Heat:
        alive, ties, shared = field, 0, 0
        blocks = self._burn_in
        while len(alive):
            state = board.state[alive, :blocks]
            rows, columns = np.nonzero(state == OPEN)
            if len(rows) or (state == ASKED).any():
                cells = np.stack([alive[rows], columns], axis=1)
                return _Heat(alive, shared, cells, over=False)
            alive = alive[(state == TOLD).all(axis=1)]  # who lost a cell cannot win
            shared = blocks
            if blocks == self._problem.blocks:
                break
            alive, ties = self._eliminate(board, alive, blocks, ties)
            blocks = blocks + 1 if len(alive) > 1 else self._problem.blocks
        return _Heat(
            self._best(board, alive, shared), shared, np.zeros((0, 2), np.int64), over=True
        )

    def _eliminate(
        self, board: Board, alive: IntArray, blocks: int, ties: int
    ) -> tuple[IntArray, int]:
        if len(alive) < 2 or blocks < 2:
            return alive, ties
        alive = alive[~beaten(board.scores[alive, :blocks] * self._problem.sign)]
        if len(alive) == 2:
            ties += 1
            if ties > _TIES:
                alive = self._best(board, alive, blocks)
        return alive, ties

    def _best(self, board: Board, alive: IntArray, blocks: int) -> IntArray:
        if not len(alive):
            return alive
        means = board.scores[alive, :blocks].mean(axis=1) * self._problem.sign
        return alive[[int(np.argmax(means))]]
