"""The references that users know: Optuna's WilcoxonPruner and successive halving, over cells."""

from __future__ import annotations

import numpy as np

from search.arrays import IntArray
from search.strategies.board import FAILED, OPEN, TOLD, Board, Problem
from search.strategies.sequential import best_complete, first_then
from search.strategies.signed_ranks import worse

_AT_ONCE = 4
# Cells after which halving keeps the better third (rounds grow threefold, as usual).
_KEEP = 3


class Wilcoxon:
    """Configs one after another in random order; one is dropped once the paired test says so.

    As optuna.pruners.WilcoxonPruner does: one-sided signed-rank test of the config's cells against
    the same cells of the best complete config, p < 0.1, from two cells on, and never while its mean
    is at least the best one's. The test is repeated at every cell, so 0.1 is no error rate.

    Args:
        problem: What competes.
        seed: Of the order; the first guesses come first.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        order = np.random.default_rng(seed).permutation(problem.configs)
        self._order = first_then(problem, order)
        self._verdicts: dict[tuple[int, int, int], bool] = {}

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells of the first few configs still in, so that each may be dropped, (cells, 2)."""
        best = best_complete(board)
        if best is None:
            # Nothing to compare with yet: the first configs are trained in full.
            return board.open_cells(self._order, limit)
        cells: list[tuple[int, int]] = []
        unopened = board.per_config(OPEN)
        # A large batch goes into a few configs: spread over as many configs, none would end.
        many = -(-limit // _AT_ONCE)
        for config in self._order[unopened[self._order] > 0].tolist():
            if len(cells) >= limit:
                break
            if not self._dropped(board, config, best):
                blocks = np.flatnonzero(board.state[config] == OPEN)[
                    : min(many, limit - len(cells))
                ]
                cells += [(config, int(block)) for block in blocks]
        return np.array(cells, np.int64).reshape(-1, 2)

    def winner(self, board: Board) -> int | None:
        """The config with the best complete mean."""
        return best_complete(board)

    def reason(self, board: Board) -> str:
        """Why it asks for no more, as the end of "stopped because ..."."""
        return "every other config is worse by its paired test, or has all its cells"

    def _dropped(self, board: Board, config: int, best: int) -> bool:
        told = board.state[config] == TOLD
        key = (config, best, int(told.sum()))
        if key not in self._verdicts:
            self._verdicts[key] = worse(
                board.scores[config, told] * self._problem.sign,
                board.scores[best] * self._problem.sign,
                told,
            )
        return self._verdicts[key]


class Halving:
    """Successive halving over cells: all configs get one cell, the better third gets on, and so on.

    Cells per rung grow threefold (1, 3, 9, ... up to all blocks), all on the same blocks, so that a
    rung compares like with like. Under a budget too small for every config it starts with as many,
    drawn at random, as it can take through all rungs.

    Args:
        problem: What competes.
        seed: Of which configs start; the first guesses always do.
        max_cells: Budget that the first rung is cut to; None starts with all configs.
    """

    def __init__(self, problem: Problem, seed: int, max_cells: int | None = None) -> None:
        self._problem = problem
        order = first_then(problem, np.random.default_rng(seed).permutation(problem.configs))
        # The floor is complete in any case and meets the others at the end.
        order = order[~np.isin(order, problem.floor)]
        rungs = [1]
        while rungs[-1] * _KEEP < problem.blocks:
            rungs.append(rungs[-1] * _KEEP)
        self._rungs = list(dict.fromkeys([*rungs, problem.blocks]))
        self._start = order[: self._entrants(max_cells)]

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells of the present rung; empty while it waits for its last cells, (cells, 2)."""
        field = self._start
        for rung in self._rungs:
            state = board.state[field, :rung]
            rows, blocks = np.nonzero(state == OPEN)
            if len(rows):
                return np.stack([field[rows], blocks], axis=1)[:limit]
            if not np.isin(state, (TOLD, FAILED)).all():
                break
            field = self._promote(board, field, rung)
        return np.zeros((0, 2), np.int64)

    def winner(self, board: Board) -> int | None:
        """The config with the best complete mean."""
        return best_complete(board)

    def reason(self, board: Board) -> str:
        """Why it asks for no more, as the end of "stopped because ..."."""
        return "its last rung is through"

    def _promote(self, board: Board, field: IntArray, rung: int) -> IntArray:
        whole = field[(board.state[field, :rung] == TOLD).all(axis=1)]
        means = board.scores[whole, :rung].mean(axis=1) * self._problem.sign
        keep = max(len(field) // _KEEP, 1)
        ranked: IntArray = whole[np.lexsort((whole, -means))]
        return ranked[:keep]

    def _entrants(self, max_cells: int | None) -> int:
        """The most configs whose whole tournament fits into the budget, floor included."""
        every = self._problem.configs - len(self._problem.floor)
        if max_cells is None:
            return every
        room = max_cells - len(self._problem.floor) * self._problem.blocks
        low, high = min(1, every), every
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._cost(middle) <= room else (low, middle - 1)
        return low

    def _cost(self, entrants: int) -> int:
        cells, before = 0, 0
        for rung in self._rungs:
            cells += entrants * (rung - before)
            before, entrants = rung, max(entrants // _KEEP, 1)
        return cells
