"""Optuna's WilcoxonPruner over configs in random order."""

from __future__ import annotations

import numpy as np

from search.arrays import IntArray
from search.strategies.board import OPEN, TOLD, Board, Problem
from search.strategies.sequential import best_complete, first_then
from search.strategies.signed_ranks import worse

# A large batch goes into a few configs: spread over as many configs, none would end.
_AT_ONCE = 4


class Wilcoxon:
    """Configs in random order, dropped as the paired test says.

    As optuna.pruners.WilcoxonPruner does: one-sided signed-rank test of the config's cells against
    the same cells of the best complete config, p < 0.1, from two cells on, and never while its mean
    is at least the best one's. The test is repeated at every cell, so 0.1 is no error rate.

    Args:
        problem: Problem to solve.
        seed: Seed of the order; the first guesses come first.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        order = np.random.default_rng(seed).permutation(problem.configs)
        self._order = first_then(problem, order)
        self._verdicts: dict[tuple[int, int, int], bool] = {}

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells of the first few configs still in, (cells, 2)."""
        best = best_complete(board)
        if best is None:
            # No reference yet: the first configs are trained in full.
            return board.open_cells(self._order, limit)
        cells: list[tuple[int, int]] = []
        unopened = board.per_config(OPEN)
        most = -(-limit // _AT_ONCE)
        for config in self._order[unopened[self._order] > 0].tolist():
            if len(cells) >= limit:
                break
            if not self._dropped(board, config, best):
                blocks = np.flatnonzero(board.state[config] == OPEN)
                blocks = blocks[: min(most, limit - len(cells))]
                cells += [(config, int(block)) for block in blocks]
        return np.array(cells, np.int64).reshape(-1, 2)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean."""
        return best_complete(board)

    def reason(self, board: Board) -> str:
        """Reason for the end, to follow "stopped because"."""
        return "every other config is worse by its paired test, or has all its cells"

    def _dropped(self, board: Board, config: int, best: int) -> bool:
        scored = board.state[config] == TOLD
        key = (config, best, int(scored.sum()))
        if key not in self._verdicts:
            self._verdicts[key] = worse(
                board.scores[config, scored] * self._problem.sign,
                board.scores[best] * self._problem.sign,
                scored,
            )
        return self._verdicts[key]
