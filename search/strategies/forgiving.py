"""Early-stopped cross-validation, 'forgiving': drop a config that falls below the best one's worst.

Bergman, Purucker, Hutter, Don't Waste Your Time: Early Stopping Cross-Validation, AutoML 2024
(arXiv:2405.03389), equation 2: configs in random order; after each fold a config is stopped unless
the mean of its folds so far is better than the worst single fold of the best config so far. (Their
'aggressive' rule, equation 1, compares with the best config's mean.) Here blocks are the folds.
"""

from __future__ import annotations

import numpy as np

from search.arrays import FloatArray, IntArray
from search.strategies.board import ASKED, FAILED, TOLD, Board, Problem
from search.strategies.sequential import best_complete, first_then


class Forgiving:
    """Configs one after another in random order, each stopped as early as the rule says.

    One cell at a time, as the rule reads each score before it allows the next; only the first
    config, which nothing can stop, is asked for in one go.

    Args:
        problem: What competes.
        seed: Of the order; the first guesses come first.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        order = np.random.default_rng(seed).permutation(problem.configs)
        self._order = first_then(problem, order)
        # A cache: how many of the order are through, and what they leave to beat. What was told
        # stays told, so it never has to be taken back.
        self._through = 0
        self._best_mean = -np.inf
        self._bar = -np.inf

    def propose(self, board: Board, limit: int) -> IntArray:
        """The next open cell of the config whose turn it is, (cells, 2)."""
        while self._through < len(self._order):
            config = int(self._order[self._through])
            state = board.state[config]
            told = board.scores[config, state == TOLD] * self._problem.sign
            # A config that lost a cell can never be complete, so never win.
            if not (self._stops(told) or (state == FAILED).any()):
                rules = self._bar > -np.inf
                waiting = bool((state == ASKED).any())
                cells = board.open_cells([config], 1 if rules else limit)
                if waiting and (rules or not len(cells)):
                    break
                if len(cells):
                    return cells
                if told.mean() > self._best_mean:
                    self._best_mean, self._bar = float(told.mean()), float(told.min())
            self._through += 1
        return np.zeros((0, 2), np.int64)

    def winner(self, board: Board) -> int | None:
        """The config with the best complete mean."""
        return best_complete(board)

    def _stops(self, told: FloatArray) -> bool:
        return len(told) > 0 and bool(told.mean() <= self._bar)
