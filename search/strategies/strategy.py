"""The ask/tell core of all strategies, free of Ray and MLflow.

    strategy = make_strategy("race", problem, seed=0, max_cells=3000)  # named.py
    while not strategy.done:
        for config, block in strategy.ask(16):
            strategy.tell(config, block, train(config, block))

A strategy's state is a pure function of (problem, settings, cells told). To resume, tell a new
strategy the cells of the ledger, in any order, and go on.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from search.arrays import FloatArray, IntArray
from search.strategies.board import ASKED, FAILED, OPEN, TOLD, Board, Problem
from search.strategies.budget import TimeLeft

__all__ = ["Board", "Policy", "Problem", "Strategy"]


class Policy(Protocol):
    """Rule that picks the next cells; strategies differ in nothing else."""

    def propose(self, board: Board, limit: int) -> IntArray:
        """Open cells to train next, best first, int (at most limit, 2).

        None while cells are under way means: wait for them. None otherwise means the end. Must
        depend on the board alone.
        """
        ...

    def winner(self, board: Board) -> int | None:
        """Config that would win now; None before any can."""
        ...


@runtime_checkable
class Rationed(Protocol):
    """Policy that keeps part of its cells for a final."""

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        """Upper bound on total cells, including finished and running ones.

        And the training time that is left, where it is known.
        """
        ...

    def seconds(self, board: Board) -> FloatArray | None:
        """Likely seconds of each config's cells; None before one was timed."""
        ...


@runtime_checkable
class Explains(Protocol):
    """Policy that ends by a rule of its own."""

    def reason(self, board: Board) -> str:
        """Reason for the end, to follow "stopped because"."""
        ...


@runtime_checkable
class Covers(Protocol):
    """Policy that tries every value of an axis before it ends."""

    def untried(self, board: Board, limit: int) -> IntArray:
        """Open cells of axis values that no cell has yet, (cells, 2)."""
        ...


class Strategy:
    """Bookkeeping of a sweep's cells: asked, told, done.

    Args:
        problem: Problem to solve.
        policy: Rule that picks the next cells.
        max_cells: Cells that may be spent, trained or reused, failed ones too; None sets no limit.
            The floor comes first, so a smaller budget than the floor's cells cuts the floor short.
        usual: True where max_cells is no budget but a multiple of the usual number of cells.

    Attributes:
        max_cells: Most cells that may be spent.

    Raises:
        ValueError: when max_cells is below 1.
    """

    def __init__(
        self,
        problem: Problem,
        policy: Policy,
        max_cells: int | None = None,
        *,
        usual: bool = False,
    ) -> None:
        if max_cells is not None and max_cells < 1:
            raise ValueError(f"max_cells must be at least 1 or None for no limit, got {max_cells}.")
        self.problem = problem
        self.board = Board(problem)
        self._policy = policy
        every = self.board.state.size
        self.max_cells = every if max_cells is None else min(max_cells, every)
        self._usual = usual
        self._end: tuple[int, bool] = (-1, False)

    def ask(self, n: int, slots: int = 1, seconds: float | None = None) -> list[tuple[int, int]]:
        """Hand out up to n cells (config, block), each once.

        Cells of equal shape are neighbours.

        Fewer than n, or none, when the strategy must see results first or is done.

        Args:
            n: Most cells.
            slots: Number of those who ask, each for itself when it is free. With several, the
                cells are of one shape, and the last ones are dealt to all.
            seconds: Most seconds that the cells are likely to take, beyond a first one; None for
                no limit.

        Raises:
            ValueError: when n or slots is below 1.
        """
        if n < 1:
            raise ValueError(f"ask for at least 1 cell, got n={n}.")
        if slots < 1:
            raise ValueError(f"ask for at least 1 slot, got slots={slots}.")
        cells = self._by_shape(self._next(n * slots))
        if slots > 1 and len(cells):
            shapes = self.problem.shapes[cells[:, 0]]
            share = min(n, -(-len(cells) // slots))
            cells = cells[: min(share, int((shapes == shapes[0]).sum()))]
        if seconds is not None:
            cells = self._within(cells, seconds)
        for config, block in cells:
            self.board.set(config, block, ASKED)
        return [(int(config), int(block)) for config, block in cells]

    def _within(self, cells: IntArray, seconds: float) -> IntArray:
        """First cells that are likely to take no longer, one at least."""
        each = self._policy.seconds(self.board) if isinstance(self._policy, Rationed) else None
        if each is None:
            return cells
        fitting = int((np.cumsum(each[cells[:, 0]]) <= seconds).sum())
        return cells[: max(fitting, 1)]

    def _by_shape(self, cells: IntArray) -> IntArray:
        # Groups in the order of their best cell, the policy's order within each.
        groups = self.problem.shapes[cells[:, 0]]
        _, seen_at, group = np.unique(groups, return_index=True, return_inverse=True)
        return cells[np.argsort(seen_at[group], kind="stable")]

    def tell(
        self, config: int, block: int, score: float | None, seconds: float | None = None
    ) -> None:
        """Take the score of a cell; None when it failed.

        It may be a cell that was never asked for, reused from the ledger.

        A failed cell stays missing: its config keeps its other cells, and can still win with the
        loss of a few, see `Board.bearable`.

        Args:
            config: Index of the config.
            block: Index of the block.
            score: Its score.
            seconds: Time that its training took; None where it is not known.

        Raises:
            ValueError: when there is no such cell, the score is not finite, or the cell was told
                another score before.
        """
        if score is not None and not np.isfinite(score):
            raise ValueError(
                f"score of cell ({config}, {block}) must be finite, or None for a failed cell, "
                f"got {score}."
            )
        if self.board.state_of(config, block) == TOLD:
            if score is None or score == self.board.scores[config, block]:
                return  # the same news twice, or a late failure of a cell that is there already
            raise ValueError(
                f"cell ({config}, {block}) was told {self.board.scores[config, block]} before and "
                f"now {score}; a cell has one score."
            )
        if seconds is not None and seconds > 0 and np.isfinite(seconds):
            self.board.seconds[config] += seconds
            self.board.timed[config] += 1
        if score is None:
            self.board.set(config, block, FAILED)
        else:
            self.board.set(config, block, TOLD, float(score))

    def forget(self, config: int, block: int) -> None:
        """Reopen an asked cell whose worker died.

        Raises:
            ValueError: when the cell is not under way.
        """
        if self.board.state_of(config, block) != ASKED:
            raise ValueError(
                f"cell ({config}, {block}) is not under way; only an asked cell that was not told "
                "can be forgotten."
            )
        self.board.set(config, block, OPEN)

    def afford(self, cells: int, time: TimeLeft | None = None) -> None:
        """Plan with this many further cells, as the remaining time allows.

        Cells of one config may take longer than those of another: a policy that knows what each
        takes plans with the seconds.

        An estimate that may change at any time. It never ends a strategy, and is no part of its
        state: a resumed sweep has another deadline.

        Args:
            cells: Cells beside those under way.
            time: Time left for both; None where it is not known.
        """
        if isinstance(self._policy, Rationed):
            self._policy.afford(self.board.count(ASKED, TOLD, FAILED) + cells, time)

    def seconds_of(self, config: int) -> float | None:
        """Likely seconds of a config's cell; None where nothing says so."""
        if isinstance(self._policy, Rationed):
            seconds = self._policy.seconds(self.board)
            return None if seconds is None else float(seconds[config])
        timed = int(self.board.timed[config])
        return float(self.board.seconds[config]) / timed if timed else None

    @property
    def done(self) -> bool:
        """True once nothing is under way and nothing more will be asked."""
        if self.board.count(ASKED):
            return False
        if self._end[0] != self.board.version:
            self._end = (self.board.version, not len(self._next(1)))
        return self._end[1]

    @property
    def spent(self) -> int:
        """Number of cells that count against max_cells: told or failed."""
        return self.board.count(TOLD, FAILED)

    @property
    def stopped(self) -> str | None:
        """Reason for the end, to follow "stopped because"; None before it."""
        if not self.done:
            return None
        if not self.board.count(OPEN):
            return "every cell is there"
        if self.spent >= self.max_cells:
            if self._usual:
                return (
                    f"{self.spent:,} cells are spent, twice what a race of this size usually takes"
                )
            return f"its budget of {self.max_cells:,} cells is spent"
        if isinstance(self._policy, Explains):
            return self._policy.reason(self.board)
        return "its strategy has nothing left to ask"

    def winner(self) -> int | None:
        """Config that would win now; None before any can."""
        return self._policy.winner(self.board)

    def _next(self, n: int) -> IntArray:
        room = self.max_cells - self.spent - self.board.count(ASKED)
        if room <= 0:
            if self._usual and isinstance(self._policy, Covers):
                return self._policy.untried(self.board, n)
            return np.zeros((0, 2), np.int64)
        n = min(n, room)
        floor = self.board.open_cells(self.problem.floor, n)
        if len(floor) == n:
            return floor
        cells = self._policy.propose(self.board, n)
        mine = ~np.isin(cells[:, 0], self.problem.floor)
        return np.concatenate([floor, cells[mine]])[:n]
