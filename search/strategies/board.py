"""The problem that a strategy solves, and its board of cells.

A board is the whole state of a strategy: each cell is open, asked, told or failed, and told cells
have a score. Policies read it and keep caches only, so a sweep resumes by telling an empty board
the cells of the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from search.arrays import BoolArray, FloatArray, IntArray

OPEN, ASKED, TOLD, FAILED = 0, 1, 2, 3
# Share of its cells that a config may lose and still win. Machines fail, too: where a tenth of all
# cells is lost, one in eight configs has all 20, and 19 in 20 have 16 of them.
_MOST_FAILED = 0.2


def bearable_failures(blocks: int) -> int:
    """Number of failed cells with which a config can still win."""
    return int(_MOST_FAILED * blocks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Configs that compete, and the blocks that score them.

    Attributes:
        features: Ordinal position of each config on each axis, float (configs, axes); nan where the
            axis is inert for that config.
        shapes: Shape group of each config, int (configs,); cells of one group can be one stack.
        blocks: Number of blocks, each a (seed, fold), in the protocol's shared order.
        floor: Configs that get every block under any strategy: baseline and references.
        prior: Configs that are good first guesses, for example the paper's best.
        mode: "max" where a high score is good, "min" where a low one is.
        unordered: Axes whose positions have no order (names rather than numbers).
        earlier: Scores of the configs in earlier sweeps, float (sweeps, configs); nan where a sweep
            did not have one. Another data set's or model's: only their order means anything.
        unit: Unit of a hundredth of a score, for words.
        rounds: Round of each block, from 0; the blocks of a round hold out every row once, as a
            seed's folds do. Empty where no blocks do.

    Raises:
        ValueError: when shapes or ids do not fit the features.
    """

    features: FloatArray
    shapes: IntArray
    blocks: int
    floor: tuple[int, ...] = ()
    prior: tuple[int, ...] = ()
    mode: Literal["max", "min"] = "max"
    unordered: tuple[int, ...] = ()
    earlier: FloatArray | None = None
    unit: str = "points"
    rounds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.features.ndim != 2 or not len(self.features):
            raise ValueError(
                f"features must be (configs, axes) with at least one config, "
                f"got shape {self.features.shape}."
            )
        if self.shapes.shape != (self.configs,):
            raise ValueError(
                f"shapes must hold one group per config, {self.configs}, "
                f"got shape {self.shapes.shape}."
            )
        if self.earlier is not None and self.earlier.shape[1:] != (self.configs,):
            raise ValueError(
                f"earlier must hold a score per config, (sweeps, {self.configs}), "
                f"got shape {self.earlier.shape}."
            )
        if self.blocks < 1:
            raise ValueError(f"blocks must be at least 1, got {self.blocks}.")
        if self.rounds and len(self.rounds) != self.blocks:
            raise ValueError(
                f"rounds must hold one round per block, {self.blocks}, got {len(self.rounds)}."
            )
        if self.mode not in ("max", "min"):
            raise ValueError(f"mode must be 'max' or 'min', got {self.mode!r}.")
        for name, ids, end in (
            ("floor", self.floor, self.configs),
            ("prior", self.prior, self.configs),
            ("unordered", self.unordered, self.features.shape[1]),
        ):
            wrong = [i for i in ids if not 0 <= i < end]
            if wrong or len(set(ids)) != len(ids):
                raise ValueError(f"{name} must be distinct ids below {end}, got {ids}.")

    @property
    def configs(self) -> int:
        """Number of configs that compete."""
        return len(self.features)

    @property
    def sign(self) -> float:
        """Factor that makes a higher score the better one."""
        return 1.0 if self.mode == "max" else -1.0

    @property
    def first(self) -> tuple[int, ...]:
        """Configs of the floor, then the other first guesses."""
        return tuple(dict.fromkeys((*self.floor, *self.prior)))


def typical_cells(problem: Problem) -> int:
    """Number of cells that a race of this size usually needs.

    It is 10% of 100 configs' cells and 3% from 1,000 configs on, but never fewer than complete the
    floor and six configs more.
    """
    share = max(0.03, 0.1 * float(100 / problem.configs) ** 0.52)
    every = problem.configs * problem.blocks
    least = (len(problem.floor) + 6) * problem.blocks
    return int(min(max(round(share * every), least), every))


class Board:
    """State and score of every cell of a problem.

    Attributes:
        problem: Problem whose cells these are.
        state: OPEN, ASKED, TOLD or FAILED, int8 (configs, blocks).
        scores: Scores as told, float (configs, blocks); nan elsewhere.
        version: Number of changes so far; policies drop caches of an older version.
        seconds: Training time of each config's timed cells together, float (configs,).
        timed: Number of these, int (configs,).
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.state = np.zeros((problem.configs, problem.blocks), np.int8)
        self.scores = np.full((problem.configs, problem.blocks), np.nan)
        self.version = 0
        self.seconds = np.zeros(problem.configs)
        self.timed = np.zeros(problem.configs, np.int64)
        self._in_state = np.array([self.state.size, 0, 0, 0])
        self._per_config = np.zeros((4, problem.configs), np.int64)
        self._per_config[OPEN] = problem.blocks

    @classmethod
    def of(cls, problem: Problem, scores: FloatArray) -> Board:
        """Make a board from a table of scores.

        Args:
            problem: Problem whose cells these are.
            scores: Score by config and block, nan where there is none, (configs, blocks).
        """
        board = cls(problem)
        scored = np.isfinite(scores)
        board.state[scored] = TOLD
        board.scores[scored] = scores[scored]
        per_config = scored.sum(axis=1)
        board._per_config[TOLD] = per_config
        board._per_config[OPEN] = problem.blocks - per_config
        board._in_state[[OPEN, TOLD]] = [scored.size - per_config.sum(), per_config.sum()]
        board.version = int(per_config.sum())
        return board

    def state_of(self, config: int, block: int) -> int:
        """State of one cell.

        Raises:
            ValueError: when there is no such cell.
        """
        configs, blocks = self.state.shape
        if not (0 <= config < configs and 0 <= block < blocks):
            raise ValueError(
                f"cell ({config}, {block}) is outside the {configs} configs x {blocks} blocks "
                "of this problem."
            )
        return int(self.state[config, block])

    def set(self, config: int, block: int, state: int, score: float = np.nan) -> None:
        """Move one cell to a state; the score matters for TOLD only.

        Raises:
            ValueError: when there is no such cell.
        """
        old = self.state_of(config, block)
        self._in_state[old] -= 1
        self._in_state[state] += 1
        self._per_config[old, config] -= 1
        self._per_config[state, config] += 1
        self.state[config, block] = state
        self.scores[config, block] = score
        self.version += 1

    def count(self, *states: int) -> int:
        """Number of cells in any of the states."""
        return int(sum(self._in_state[state] for state in states))

    def per_config(self, *states: int) -> IntArray:
        """Number of each config's cells in any of the states, (configs,)."""
        return np.asarray(self._per_config[list(states)].sum(axis=0))

    def open_cells(self, configs: npt.ArrayLike, limit: int) -> IntArray:
        """First `limit` open cells in the order of configs, (cells, 2)."""
        order = np.asarray(configs, np.int64)
        order = order[self._per_config[OPEN, order] > 0][:limit]
        rows, blocks = np.nonzero(self.state[order] == OPEN)
        return np.stack([order[rows], blocks], axis=1)[:limit]

    def complete(self) -> BoolArray:
        """Mask of configs with a score on every block, (configs,)."""
        return np.asarray(self._per_config[TOLD] == self.problem.blocks)

    def bearable(self) -> BoolArray:
        """Mask of configs that lost too few cells to be out, (configs,)."""
        return np.asarray(self._per_config[FAILED] <= bearable_failures(self.problem.blocks))

    def whole(self) -> BoolArray:
        """Mask of configs that can win now, (configs,).

        All their cells are through, and no more failed than is bearable.
        """
        scored = self._per_config[TOLD] > 0
        return np.asarray(scored & self.settled() & self.bearable())

    def settled(self) -> BoolArray:
        """Mask of configs without open or asked cells, (configs,)."""
        return np.asarray(self.per_config(TOLD, FAILED) == self.problem.blocks)

    def means(self) -> FloatArray:
        """Mean score of each complete config, nan for others, (configs,)."""
        means = np.full(self.problem.configs, np.nan)
        complete = self.complete()
        means[complete] = self.scores[complete].mean(axis=1)
        return means

    def whole_means(self) -> FloatArray:
        """Mean score of each config that can win, nan for others, (configs,).

        It is adjusted for the blocks whose cell failed.
        """
        means, lacking = self.means(), self.whole() & ~self.complete()
        if lacking.any():
            means[lacking] = self.adjusted_means()[lacking]
        return means

    def adjusted_means(self, sweeps: int = 3) -> FloatArray:
        """Mean of each config corrected for the blocks it lacks, (configs,).

        A config that lacks an easy block must not look worse for it, nor one that lacks a hard
        block better. Block effects are fitted from the configs that share blocks (two-way additive
        least squares by backfitting) and taken off. Equal to `means` on complete configs; nan for
        configs without a score.
        """
        scored = self.state == TOLD
        per_row = self._per_config[TOLD]
        full = per_row == self.problem.blocks
        adjusted = np.full(self.problem.configs, np.nan)
        # Complete configs need no model: their mean is the protocol's own.
        adjusted[full] = self.scores[full].sum(axis=1) / self.problem.blocks
        rows = np.flatnonzero((per_row > 0) & ~full)
        if not len(rows):
            return adjusted
        # Nor do they change from step to step, since the effects have mean 0.
        whole = self.scores[full].sum(axis=0) - adjusted[full].sum()
        per_block = np.maximum(scored.sum(axis=0), 1)
        scored, scores = scored[rows], np.where(scored[rows], self.scores[rows], 0.0)
        per_row, per_column = per_row[rows], scores.sum(axis=0)
        totals, weights = scores.sum(axis=1), scored.astype(float)
        centers = totals / per_row
        for _ in range(sweeps):
            # Not by matrix products, whose sums depend on the number of threads.
            taken = np.einsum("rb,r->b", weights, centers)
            effects = (whole + per_column - taken) / per_block
            effects -= effects.mean()
            centers = (totals - np.einsum("rb,b->r", weights, effects)) / per_row
        adjusted[rows] = centers
        return adjusted
