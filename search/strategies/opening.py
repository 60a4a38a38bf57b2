"""Opening of a race: first guesses, then configs at random.

Every config starts on a block of its own turn, so that no block and no seed biases the surrogate.
"""

from __future__ import annotations

import numpy as np

from search.arrays import IntArray
from search.strategies.board import ASKED, OPEN, TOLD, Board, Problem

_FIRST_GUESS_CELLS = 5
# Measured on synthetic tables of 100 to 4,900 configs: flat around this value.
_SHARE = 0.12
_MOST_VALUES = 30  # of an axis with an order, each of which is tried
_RECALLED = 0.4  # of the opening's configs


class Opening:
    """Order of configs and blocks, and a race's first cells.

    Args:
        problem: Problem to solve.
        seed: Seed of the order.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        rng = np.random.default_rng((seed, 1))
        self._turn = rng.permutation(problem.configs) % problem.blocks
        self._order = rng.permutation(problem.configs)

    def cells(self, board: Board, horizon: int, limit: int) -> IntArray | None:
        """Cells of the opening; None once it is through.

        Args:
            board: State of the cells.
            horizon: Number of cells that the race plans with.
            limit: Most cells.
        """
        used = self._problem.blocks - board.per_config(OPEN)
        first = np.array(self._problem.prior, np.int64)
        owed = np.maximum(min(_FIRST_GUESS_CELLS, self._problem.blocks) - used[first], 0)
        missing = int(np.ceil(self._size(horizon) - (used > 0).sum()))
        if not owed.any() and missing <= 0:
            if board.count(TOLD):
                return None
            # All that came back has failed: more of the opening, once nothing is under way.
            missing = 0 if board.count(ASKED) else limit
        order = self._recalled(horizon)
        fresh = order[(used[order] == 0) & ~np.isin(order, first)]
        fresh = fresh[: max(missing - int((used[first] == 0).sum()), 0)]
        order = np.concatenate([first, fresh])
        counts = np.concatenate([owed, np.ones(len(fresh), np.int64)])
        return self.pick(board, order, counts, limit)

    def untried(self, board: Board, horizon: int, limit: int) -> IntArray:
        """Opening cells for axis values that no cell has yet, (cells, 2).

        A value that is added to a finished sweep's axis has no cell, and the model, which is smooth
        over the axis, may be sure of it without one.
        """
        used = board.per_config(OPEN) < self._problem.blocks
        share = self._size(horizon) / self._problem.configs
        picked = np.zeros(self._problem.configs, bool)
        for axis, position in enumerate(self._problem.features.T):
            values = np.unique(position[np.isfinite(position)])
            if axis not in self._problem.unordered and len(values) > _MOST_VALUES:
                continue  # points of a range stand for one another
            for value in values:
                same = position == value
                if used[same].any():
                    continue
                missing = max(1, round(share * int(same.sum()))) - int(picked[same].sum())
                candidates = self._order[same[self._order] & ~picked[self._order]]
                picked[candidates[: max(missing, 0)]] = True
        configs = self._order[picked[self._order]]
        return self.pick(board, configs, np.ones(len(configs), np.int64), limit)

    def pick(self, board: Board, configs: IntArray, counts: IntArray, limit: int) -> IntArray:
        """Up to `limit` open cells, `counts` of each config."""
        cells: list[tuple[int, int]] = []
        for config, count in zip(configs.tolist(), counts.tolist(), strict=True):
            if len(cells) >= limit:
                break
            turn = (self._turn[config] + np.arange(self._problem.blocks)) % self._problem.blocks
            blocks = turn[board.state[config, turn] == OPEN][: min(count, limit - len(cells))]
            cells += [(config, int(block)) for block in blocks]
        return np.array(cells, np.int64).reshape(-1, 2)

    def _size(self, horizon: int) -> float:
        """Number of configs that the opening tries."""
        share = min(_SHARE * horizon, 0.7 * self._problem.configs)
        # Of a few cells it leaves as many as complete one config: none else could win.
        floor, blocks = len(self._problem.floor), self._problem.blocks
        share = min(share, max(horizon - (floor + 1) * blocks + 1, 1) + floor)
        return max(share, len(self._problem.first))

    def _recalled(self, horizon: int) -> IntArray:
        """Order of the opening, with the best of earlier sweeps."""
        earlier = self._problem.earlier
        if earlier is None:
            return self._order
        recalled = int(_RECALLED * self._size(horizon)) + 1
        good = np.where(np.isfinite(earlier), earlier * self._problem.sign, -np.inf)
        tops = np.argsort(-good, axis=1, kind="stable")[:, :recalled]
        best = list(dict.fromkeys(tops.T.ravel().tolist()))[:recalled]
        others = self._order[~np.isin(self._order, best)]
        turns = np.arange(len(best)) / _RECALLED
        places = np.concatenate([turns, np.arange(len(others)) / (1 - _RECALLED)])
        return np.concatenate([best, others])[np.argsort(places, kind="stable")].astype(np.int64)
