"""TPE with the HyperbandPruner over blocks, both Optuna's.

As a user of Optuna would run it: the sampler proposes a config, its blocks are trained one after
another, the mean so far is reported after each, and the pruner may stop it. Brackets and rungs are
Optuna's own, with a reduction of 3; a config's first block is rung 1, its last one the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from search.arrays import IntArray
from search.strategies.board import ASKED, FAILED, OPEN, TOLD, Board, Problem
from search.strategies.sequential import best_complete
from search.strategies.tpe import Tpe, quiet_study


class Hyperband:
    """Optuna's TPESampler proposes configs; its HyperbandPruner stops them.

    One cell at a time: sampler and pruner see every score before they decide again. The study goes
    along with the replay, as in Optuna.

    Args:
        problem: Problem to solve.
        seed: Seed of the sampler; the first guesses come first.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._tpe = Tpe(problem, seed)
        pruner = optuna.pruners.HyperbandPruner(1, problem.blocks, reduction_factor=3)
        self._study = quiet_study(problem, seed, pruner=pruner)
        self._over = np.zeros(problem.configs, bool)  # complete, pruned or failed
        self._config: int | None = None
        self._trial: Any = None
        self._reported = 0

    def propose(self, board: Board, limit: int) -> IntArray:
        """Next open cell of the current or a new config, (cells, 2)."""
        if board.count(ASKED):
            return np.zeros((0, 2), np.int64)
        while self._config is None or self._ends(board, self._config):
            self._config = self._suggest(board)
            if self._config is None:
                return np.zeros((0, 2), np.int64)
        return board.open_cells([self._config], 1)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean; a pruned one never is."""
        return best_complete(board)

    def _ends(self, board: Board, config: int) -> bool:
        """Report a config's new scores; True once it is through."""
        if self._over[config]:
            return True
        state = board.state[config]
        scores = board.scores[config, state == TOLD]
        failed = bool((state == FAILED).any())  # it can never be complete, so never win
        pruned = False
        while self._reported < len(scores) and not pruned:
            self._reported += 1
            self._trial.report(float(scores[: self._reported].mean()), self._reported)
            pruned = self._reported < self._problem.blocks and self._trial.should_prune()
        full = len(scores) == self._problem.blocks
        # The floor gets all its cells, whatever a pruner says.
        pruned = pruned and config not in self._problem.floor
        if failed:
            self._study.tell(self._trial, state=TrialState.FAIL)
        elif full:
            self._study.tell(self._trial, float(scores.mean()))
        elif pruned:
            self._study.tell(self._trial, state=TrialState.PRUNED)
        self._over[config] = failed or full or pruned
        return bool(self._over[config])

    def _suggest(self, board: Board) -> int | None:
        started = board.per_config(OPEN) < self._problem.blocks
        # Cells that were told without being asked for here (the floor's, a ledger's) come first.
        waiting = [*np.flatnonzero(started & ~self._over).tolist(), *self._problem.first]
        config = next((one for one in waiting if not self._over[one]), None)
        if config is None:
            free = ~(started | self._over)
            if not free.any():
                return None
            point = self._study.ask(self._tpe.axes)
            config = self._tpe.nearest(point.params, free)
            self._study.tell(point, state=TrialState.FAIL)
        # The trial is one of the config itself, not of the point that was asked for.
        self._study.enqueue_trial(self._tpe.position(config))
        self._trial, self._reported = self._study.ask(self._tpe.axes), 0
        return config
