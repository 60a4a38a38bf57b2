"""Policies without a plan: the whole grid, or configs at random."""

from __future__ import annotations

import numpy as np

from search.arrays import IntArray
from search.strategies.board import Board, Problem


class InOrder:
    """Configs one after another, each on all its blocks.

    Config by config rather than block by block: stopped at any moment, all configs but the last few
    have their complete mean.
    """

    def __init__(self, order: IntArray) -> None:
        self._order = order

    def propose(self, board: Board, limit: int) -> IntArray:
        """First open cells of the order, (cells, 2)."""
        return board.open_cells(self._order, limit)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean."""
        return best_complete(board)


def best_complete(board: Board) -> int | None:
    """Config with the best mean, lowest id first; None without one.

    It is one of those that can win, see `Board.whole`.
    """
    means = board.whole_means() * board.problem.sign
    return None if np.isnan(means).all() else int(np.nanargmax(means))


def first_then(problem: Problem, order: IntArray) -> IntArray:
    """Move the floor and the first guesses to the front."""
    first = np.array(problem.first, np.int64)
    return np.concatenate([first, order[~np.isin(order, first)]])


def grid(problem: Problem) -> InOrder:
    """Every config, equal shapes together so that a stack is never mixed."""
    return InOrder(first_then(problem, np.argsort(problem.shapes, kind="stable")))


def random(problem: Problem, seed: int) -> InOrder:
    """Every config, in an order drawn from the seed."""
    order = np.random.default_rng(seed).permutation(problem.configs)
    return InOrder(first_then(problem, order))
