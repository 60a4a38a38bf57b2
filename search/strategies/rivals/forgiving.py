"""Early-stopped cross-validation, 'forgiving': drop configs below the best one's worst fold.

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
    """Configs one after another in random order, stopped early by the rule.

    One cell at a time, as the rule reads each score before it allows the next; only the first
    config, which nothing can stop, is asked for in one go.

    Args:
        problem: Problem to solve.
        seed: Seed of the order; the first guesses come first.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        order = np.random.default_rng(seed).permutation(problem.configs)
        self._order = first_then(problem, order)
        # A cache of the finished configs: their number and the scores to beat. It is never taken
        # back, since scores stay.
        self._finished = 0
        self._best_mean = -np.inf
        self._bar = -np.inf

    def propose(self, board: Board, limit: int) -> IntArray:
        """Next open cell of the current config, (cells, 2)."""
        while self._finished < len(self._order):
            config = int(self._order[self._finished])
            state = board.state[config]
            scores = board.scores[config, state == TOLD] * self._problem.sign
            # A config that lost a cell can never be complete, so never win.
            if not (self._stops(scores) or (state == FAILED).any()):
                can_stop = self._bar > -np.inf
                waiting = bool((state == ASKED).any())
                cells = board.open_cells([config], 1 if can_stop else limit)
                if waiting and (can_stop or not len(cells)):
                    break
                if len(cells):
                    return cells
                if scores.mean() > self._best_mean:
                    self._best_mean, self._bar = float(scores.mean()), float(scores.min())
            self._finished += 1
        return np.zeros((0, 2), np.int64)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean."""
        return best_complete(board)

    def _stops(self, scores: FloatArray) -> bool:
        return len(scores) > 0 and bool(scores.mean() <= self._bar)
