"""SMAC3 as a peer: its own facade, racing over the blocks of a table as its instances.

What is SMAC's (version 2.4, Lindauer et al., JMLR 23, 2022): the hyperparameter optimisation facade
with its Sobol design, log-scaled costs, random forest, expected improvement, retraining after 8
configs, 20% random configs, and the intensifier that races challengers against the incumbent on
the incumbent's blocks; up to all blocks of a config (`max_config_calls`; the facade's default of 3
would rule its own answer out). Each block's number is its instance feature, as SMAC advises.

What is set differently, for time alone (a replay of 300 cells falls from three minutes to seconds):
  - Expected improvement is maximised over the table's configs instead of 10,000 sampled ones and a
    local search from the best of them: the table is finite, so this finds the true maximum.
  - The forest predicts all blocks of all configs in one call per tree, on one thread, and its trees
    reserve memory for as many leaves as there can be cells: the same numbers, sooner.
SMAC may see every score before it asks again, which no parallel sweep could grant it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ConfigSpace import (
    CategoricalHyperparameter,
    Configuration,
    ConfigurationSpace,
    OrdinalHyperparameter,
)
from smac import HyperparameterOptimizationFacade as Facade
from smac import Scenario
from smac.acquisition.maximizer.abstract_acquisition_maximizer import AbstractAcquisitionMaximizer
from smac.main.exceptions import ConfigurationSpaceExhaustedException
from smac.model.random_forest.random_forest import RandomForest
from smac.runhistory.dataclasses import TrialInfo, TrialValue
from smac.runhistory.enumerations import StatusType

from search.arrays import IntArray
from search.strategies.board import ASKED, TOLD, Board, Problem
from search.strategies.strategy import Strategy


def smac(problem: Problem, seed: int, max_cells: int) -> Strategy:
    """SMAC3 as a player of `search.benchmark.replay`."""
    return Strategy(problem, Smac(problem, seed, max_cells), max_cells)


class Smac:
    """SMAC3's ask and tell as a policy, one cell at a time.

    A point of the axes that is no config of the table (a sampled one, where the table is no full
    grid) stands for the nearest config. A cell that SMAC wants a second time under another such
    point is told from the board and costs nothing.

    Args:
        problem: What competes.
        seed: Of all of SMAC's choices.
        max_cells: Budget; SMAC sizes its initial design by it.
    """

    def __init__(self, problem: Problem, seed: int, max_cells: int) -> None:
        # SMAC says at every turn that a small space leaves it few new configs.
        logging.getLogger("smac").setLevel(logging.ERROR)
        self._problem = problem
        self._space = _space(problem)
        self._names = [axis.name for axis in self._space.values()]
        self._known = np.isfinite(problem.features)
        self._scale = 1.0 / np.maximum(np.where(self._known, problem.features, 1.0).max(axis=0), 1)
        blocks = [str(block) for block in range(problem.blocks)]
        with tempfile.TemporaryDirectory() as folder:  # SMAC insists on a place for its files
            scenario = Scenario(
                self._space,
                output_directory=Path(folder),
                deterministic=True,
                n_trials=max_cells,
                instances=blocks,
                instance_features={block: [float(block)] for block in blocks},
                seed=seed,
            )
            self._facade = Facade(
                scenario,
                model=_Forest(
                    configspace=self._space,
                    instance_features=scenario.instance_features,
                    seed=seed,
                    # The facade's own settings of its forest.
                    log_y=True,
                    n_trees=10,
                    ratio_features=1.0,
                    min_samples_split=2,
                    min_samples_leaf=1,
                    # Room for a leaf a cell is all that a tree can use.
                    max_leaf_nodes=max_cells + 2,
                    n_jobs=1,
                ),
                acquisition_maximizer=_TableSearch(self._space, self._points(), seed),
                intensifier=Facade.get_intensifier(scenario, max_config_calls=problem.blocks),
                logging_level=False,
                overwrite=True,
            )
        self._pending: tuple[TrialInfo, int, int] | None = None
        self._over = False

    def propose(self, board: Board, limit: int) -> IntArray:
        """The cell that SMAC asks for; empty while it is under way and once SMAC is through."""
        while not self._over:
            if self._pending is None:
                self._ask()
                continue
            trial, config, block = self._pending
            state = board.state_of(config, block)
            if state == ASKED:
                break
            cells = board.open_cells([config], self._problem.blocks)
            if (cells[:, 1] == block).any():
                mine: IntArray = cells[cells[:, 1] == block]
                return mine
            self._tell(board, trial, board.scores[config, block])
        return np.zeros((0, 2), np.int64)

    def winner(self, board: Board) -> int | None:
        """SMAC's incumbent, on however many blocks it holds that place."""
        if self._pending is not None:
            trial, config, block = self._pending
            if board.state_of(config, block) == TOLD:
                self._tell(board, trial, board.scores[config, block])
        incumbent = self._facade.intensifier.get_incumbent()
        return None if incumbent is None else self._config(incumbent)

    def _ask(self) -> None:
        try:
            trial = self._facade.ask()
        except (StopIteration, ConfigurationSpaceExhaustedException):
            self._over = True  # nothing new to try, and the incumbent has all its blocks
            return
        assert trial.instance is not None, "each block is an instance"
        self._pending = (trial, self._config(trial.config), int(trial.instance))

    def _tell(self, board: Board, trial: TrialInfo, score: float) -> None:
        """Tell SMAC a score; nan, a failed cell, costs as much as the worst one seen."""
        failed = not np.isfinite(score)
        told = board.scores[board.state == TOLD] * self._problem.sign
        cost = -told.min(initial=0.0) if failed else -self._problem.sign * float(score)
        status = StatusType.CRASHED if failed else StatusType.SUCCESS
        self._facade.tell(trial, TrialValue(cost=float(cost), status=status), save=False)
        self._pending = None

    def _points(self) -> list[Configuration]:
        """Each config as a point of the space; an inert axis stands at its first position."""
        positions = np.where(self._known, self._problem.features, 0).astype(int)
        rows = dict.fromkeys(map(tuple, positions.tolist()))
        return [
            Configuration(self._space, values=dict(zip(self._names, row, strict=True)))
            for row in rows
        ]

    def _config(self, point: Configuration) -> int:
        wanted = np.array([float(point[name]) for name in self._names])
        gaps = np.abs(self._problem.features - wanted) * self._scale
        # Of two that fit alike the one with fewer inert axes; one that has nothing else (a baseline
        # beyond the axes) would fit every point.
        distance = np.where(self._known, gaps, 1e-6).sum(axis=1)
        return int(np.where(self._known.any(axis=1), distance, np.inf).argmin())


def _space(problem: Problem) -> ConfigurationSpace:
    space = ConfigurationSpace()
    tops = np.nanmax(problem.features, axis=0).astype(int).tolist()
    for axis, top in enumerate(tops):
        values = list(range(top + 1))
        kind = CategoricalHyperparameter if axis in problem.unordered else OrdinalHyperparameter
        space.add(kind(f"axis_{axis:02}", values))
    return space


class _TableSearch(AbstractAcquisitionMaximizer):
    """The exact maximum: the acquisition function at every config that was not tried yet."""

    def __init__(self, space: ConfigurationSpace, points: Sequence[Configuration], seed: int):
        super().__init__(space, seed=seed)
        self._all_points = points

    def _maximize(
        self, previous_configs: list[Configuration], n_points: int
    ) -> list[tuple[float, Configuration]]:
        tried = set(previous_configs)
        fresh = [point for point in self._all_points if point not in tried]
        return self._sort_by_acquisition_value(fresh) if fresh else []


class _Forest(RandomForest):
    """SMAC's forest; its mean and variance over all blocks in one prediction per tree."""

    def predict_marginalized(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        assert self._instance_features is not None, "each block is an instance"
        assert self._rf is not None, "asked before it was trained"
        features = np.array(list(self._instance_features.values()))
        points = self._impute_inactive(X)
        rows = np.hstack([np.repeat(points, len(features), 0), np.tile(features, (len(points), 1))])
        shape = (len(points), len(features))
        by_tree = [
            tree.predict(rows.astype(np.float32), check_input=False).reshape(shape).mean(axis=1)
            for tree in self._rf.estimators_
        ]
        values = np.stack(by_tree, axis=1)
        variances = np.maximum(values.var(axis=1), self._var_threshold)
        return values.mean(axis=1)[:, None], variances[:, None]
