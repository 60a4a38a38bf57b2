"""TPE with the WilcoxonPruner: Optuna's sampler, and its pruner after every block.

As a user of Optuna would run it: the sampler proposes a config, its blocks are trained one after
another and reported, and the pruner may stop it after each. As the pruner's documentation advises,
the value of a pruned config is the mean of its blocks. The verdicts are taken from
signed_ranks.py, which tests hold to optuna.pruners.WilcoxonPruner itself: on tied scores it is a
hundred times faster.
"""

from __future__ import annotations

import numpy as np
from optuna.trial import TrialState

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import ASKED, FAILED, OPEN, TOLD, Board, Problem
from search.strategies.sequential import best_complete
from search.strategies.signed_ranks import worse
from search.strategies.tpe import Tpe, quiet_study


class TpeWilcoxon:
    """Optuna's TPESampler proposes configs; its WilcoxonPruner stops them.

    One cell at a time: sampler and pruner see every score before they decide again. The study goes
    along with the replay, as in Optuna, so a verdict stands even when another config takes the lead
    later; a policy that starts from a ledger's cells gives its verdicts anew.

    Args:
        problem: Problem to solve.
        seed: Seed of the sampler; the first guesses come first.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._tpe = Tpe(problem, seed)
        self._study = quiet_study(problem, seed)
        self._settled = np.zeros(problem.configs, bool)  # complete, pruned or failed
        self._proposed: int | None = None

    def propose(self, board: Board, limit: int) -> IntArray:
        """Next open cell of the current or a new config, (cells, 2)."""
        if board.count(ASKED):
            return np.zeros((0, 2), np.int64)
        started = board.per_config(OPEN) < self._problem.blocks
        for config in np.flatnonzero(started & ~self._settled).tolist():
            if not self._settle(board, config):
                return board.open_cells([config], 1)
        if self._proposed is None or started[self._proposed]:
            self._proposed = self._suggest(started)
        return board.open_cells([] if self._proposed is None else [self._proposed], 1)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean; a pruned one never is."""
        return best_complete(board)

    def _settle(self, board: Board, config: int) -> bool:
        """Return True once a config gets no more cells.

        Its value joins the study then.
        """
        state = board.state[config]
        scored = state == TOLD
        scores = board.scores[config, scored]
        # A config that lost a cell can never be complete, so never win.
        failed = bool((state == FAILED).any())
        over = failed or scored.all() or self._prunes(board, scores, scored)
        if over:
            self._settled[config] = True
            if not failed:
                value = float(scores.mean())
                self._study.add_trial(self._tpe.trial(config, TrialState.COMPLETE, value))
        return over

    def _prunes(self, board: Board, scores: FloatArray, measured: BoolArray) -> bool:
        best = best_complete(board)
        sign = self._problem.sign
        return best is not None and worse(scores * sign, board.scores[best] * sign, measured)

    def _suggest(self, started: BoolArray) -> int | None:
        first = [config for config in self._problem.first if not started[config]]
        if first or started.all():
            return first[0] if first else None
        trial = self._study.ask(self._tpe.axes)
        config = self._tpe.nearest(trial.params, ~started)
        # The study learns of the config itself once it is through, not of the point asked for.
        self._study.tell(trial, state=TrialState.FAIL)
        return config
