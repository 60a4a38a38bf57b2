"""Configs that somebody else suggests; each is trained on all its blocks."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from search.arrays import BoolArray, IntArray
from search.strategies.board import OPEN, Board, Problem
from search.strategies.sequential import best_complete

WAIT = -1
"""In a config's place: nothing before a config under way is through."""


class Source(Protocol):
    """Source of configs: an optimiser of the user's."""

    def suggest(self, free: BoolArray) -> int | None:
        """Free config to try next, or WAIT; None ends the search."""
        ...

    def observe(self, config: int, score: float) -> None:
        """Take the mean score of a config whose cells are through."""
        ...


class Suggested:
    """Policy that trains what a source suggests, in its order.

    The source keeps a state of its own. A resumed sweep tells a fresh one the configs that are
    through, in the order of their numbers, and asks on.

    Args:
        problem: Problem to solve.
        source: Source of configs.
    """

    def __init__(self, problem: Problem, source: Source) -> None:
        self._problem = problem
        self._source = source
        self._chosen: list[int] = []
        self._told: set[int] = set()
        self._ended = False

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells of configs under way, then of new suggestions, (cells, 2)."""
        self._learn(board)
        open_per_config = board.per_config(OPEN)
        started = np.flatnonzero(
            (open_per_config < self._problem.blocks) & (open_per_config > 0)
        ).tolist()
        order = list(dict.fromkeys([*started, *self._chosen]))
        cells = int(open_per_config[order].sum()) if order else 0
        free = open_per_config == self._problem.blocks
        free[order] = False
        while cells < limit and free.any() and not self._ended:
            config = self._source.suggest(free)
            if config is None:
                self._ended = True
                break
            if config == WAIT:
                break
            self._chosen.append(config)
            order.append(config)
            free[config] = False
            cells += self._problem.blocks
        return board.open_cells(np.array(order, np.int64), limit)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean."""
        return best_complete(board)

    def reason(self, board: Board) -> str:
        """Reason for the end, to follow "stopped because"."""
        return "its own strategy suggests nothing more"

    def _learn(self, board: Board) -> None:
        """Tell the source what is through and was not told."""
        settled = board.settled()
        fresh = [c for c in np.flatnonzero(settled).tolist() if c not in self._told]
        if not fresh:
            return
        means = board.adjusted_means()
        for config in fresh:
            self._told.add(config)
            if np.isfinite(means[config]):
                self._source.observe(config, float(means[config]))


class Nothing:
    """Source without an optimiser, for a sweep that is read."""

    def suggest(self, free: BoolArray) -> int | None:
        """Suggest nothing."""
        return None

    def observe(self, config: int, score: float) -> None:
        """Take no notice."""
