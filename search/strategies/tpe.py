"""TPE over the axes' positions: Optuna's sampler on each config's complete mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from search.arrays import BoolArray, FloatArray, IntArray
from search.strategies.board import OPEN, Board, Problem
from search.strategies.sequential import best_complete


class Tpe:
    """Optuna's TPESampler proposes configs; each is trained on all its blocks.

    The sampler sees the board and nothing else: its study is rebuilt from the settled
    configs in the order of their ids, and its random stream is seeded by how many there are. So the
    proposals do not depend on the order in which cells came in.

    Attributes:
        axes: Distribution of each axis's positions for Optuna.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed
        known = np.isfinite(problem.features)
        self._known = known
        self.axes: dict[str, optuna.distributions.BaseDistribution] = {
            f"axis_{axis}": CategoricalDistribution(tuple(range(int(top) + 1)))
            if axis in problem.unordered
            else IntDistribution(0, int(top))
            for axis, top in enumerate(np.where(known, problem.features, 0).max(axis=0))
        }
        self._scale = 1.0 / np.maximum(np.where(known, problem.features, 1.0).max(axis=0), 1.0)

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells of configs under way, then of new proposals, (cells, 2)."""
        open_per_config = board.per_config(OPEN)
        started = open_per_config < self._problem.blocks
        under_way = np.flatnonzero(started & (open_per_config > 0))
        # The fullest first: a config is only told to the sampler when it is through.
        order = list(under_way[np.argsort(open_per_config[under_way], kind="stable")])
        first = [config for config in self._problem.first if not started[config]]
        order += first
        cells = int(open_per_config[order].sum()) if order else 0
        used = started.copy()
        used[first] = True
        while cells < limit and not used.all():
            config = self._suggest(board, used)
            used[config] = True
            order.append(config)
            cells += self._problem.blocks
        return board.open_cells(np.array(order, np.int64), limit)

    def winner(self, board: Board) -> int | None:
        """Config with the best complete mean."""
        return best_complete(board)

    def _suggest(self, board: Board, used: BoolArray) -> int:
        """Unused config nearest to the sampler's next point."""
        settled = board.settled()
        values = board.adjusted_means()
        study = self._study(settled, used & ~settled, values, int(used.sum()))
        return self.nearest(study.ask(self.axes).params, ~used)

    def nearest(self, params: Mapping[str, Any], among: BoolArray) -> int:
        """Config nearest to a point of the axes.

        Args:
            params: Position on each of `axes`.
            among: Configs to choose from, at least one, bool (configs,).
        """
        point = np.array([float(params[name]) for name in self.axes])
        free = np.flatnonzero(among)
        gaps = np.abs(self._problem.features[free] - point) * self._scale
        return int(free[np.argmin(np.where(self._known[free], gaps, 0.0).sum(axis=1))])

    def _study(
        self, settled: BoolArray, pending: BoolArray, values: FloatArray, stream: int
    ) -> optuna.Study:
        seeds = np.random.SeedSequence((self._seed, stream))
        study = quiet_study(self._problem, sampler=self.sampler(int(seeds.generate_state(1)[0])))
        # A config all of whose cells failed is as if it were never tried; it is taken all the same.
        done = np.flatnonzero(settled & np.isfinite(values))
        study.add_trials(
            [self.trial(i, TrialState.COMPLETE, float(values[i])) for i in done.tolist()]
            + [self.trial(i, TrialState.RUNNING, None) for i in np.flatnonzero(pending).tolist()]
        )
        return study

    def sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        """Optuna's sampler with the seed of one proposal."""
        return optuna.samplers.TPESampler(seed=seed)

    def position(self, config: int) -> dict[str, int]:
        """Position of a config on each of its effective axes."""
        places = zip(self.axes, self._problem.features[config], self._known[config], strict=True)
        # An inert axis teaches the sampler nothing.
        return {name: int(position) for name, position, active in places if active}

    def trial(
        self,
        config: int,
        state: optuna.trial.TrialState,
        value: float | None,
    ) -> optuna.trial.FrozenTrial:
        """Describe a config as a trial of Optuna's."""
        known = self.position(config)
        return optuna.trial.create_trial(
            state=state,
            value=value,
            params=known,
            distributions={name: self.axes[name] for name in known},
        )


def quiet_study(
    problem: Problem,
    seed: int = 0,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    """Make an empty study in memory, without Optuna's log line.

    Args:
        problem: Problem whose scores it will see.
        seed: Seed of its TPE sampler.
        sampler: Sampler in place of that.
        pruner: Pruner, for strategies that report block after block.
    """
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            study_name=f"seed-{seed}",  # Hyperband deals trials to brackets by it
            pruner=pruner,
            direction="maximize" if problem.mode == "max" else "minimize",
            sampler=sampler or optuna.samplers.TPESampler(seed=seed),
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
