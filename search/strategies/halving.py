"""Successive halving over cells."""

from __future__ import annotations

import numpy as np

from search.arrays import IntArray
from search.strategies.board import FAILED, OPEN, TOLD, Board, Problem, bearable_failures
from search.strategies.sequential import best_complete, first_then

# Rungs grow threefold and the better third goes on, as usual.
_KEEP = 3


class Halving:
    """Successive halving: the better third of each rung gets more cells.

    Cells per rung grow threefold (1, 3, 9, ... up to all blocks), all on the same blocks, so that a
    rung compares like with like. Under a budget too small for every config it starts with as many,
    drawn at random, as it can take through all rungs.

    Args:
        problem: Problem to solve.
        seed: Seed of the draw of configs that start; the first guesses always do.
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
        """Open cells of the current rung, none while it waits, (cells, 2)."""
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
        """Config with the best complete mean."""
        return best_complete(board)

    def reason(self, board: Board) -> str:
        """Reason for the end, to follow "stopped because"."""
        return "its last rung is through"

    def _promote(self, board: Board, field: IntArray, rung: int) -> IntArray:
        state = board.state[field, :rung]
        scored = (state == TOLD).any(axis=1)
        lost = (state == FAILED).sum(axis=1)
        fit = field[scored & (lost <= bearable_failures(self._problem.blocks))]
        scores = board.scores[fit, :rung]
        # Without what each block does to all: a failed cell may be of an easy one or of a hard one.
        if np.isnan(scores).any():
            scores = scores - np.nanmean(scores, axis=0)
        means = np.nanmean(scores, axis=1) * self._problem.sign
        keep = max(len(field) // _KEEP, 1)
        ranked: IntArray = fit[np.lexsort((fit, -means))]
        return ranked[:keep]

    def _entrants(self, max_cells: int | None) -> int:
        """Most configs whose whole tournament fits into the budget, floor included."""
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
