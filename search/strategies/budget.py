"""Budget of a race, and whom it can still complete."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from search.arrays import FloatArray, IntArray
from search.strategies.board import ASKED, FAILED, TOLD, Board, Problem, typical_cells
from search.strategies.model.belief import Belief
from search.strategies.model.cost import predict_seconds
from search.strategies.model.features import Features

_REACH = 10  # times as many configs as there are seats are looked at for one


@dataclass(frozen=True)
class TimeLeft:
    """Training time until the deadline of a sweep.

    Attributes:
        seconds: Time left of all slots together, for cells under way and further ones.
        had: Seconds that those under way have had.
        slots: Number of stacks that train at once.
    """

    seconds: float
    had: float = 0.0
    slots: int = 1


class Budget:
    """Cells and seconds of a race.

    Prices are in cells as they are on the mean; all are 1 where cells are counted and not seconds.

    Args:
        problem: Problem to solve.
        features: Features of the problem, from which seconds are predicted.
        max_cells: Most cells; None sets no limit.
    """

    def __init__(self, problem: Problem, features: Features, max_cells: int | None) -> None:
        self._problem = problem
        self._features = features
        self._max_cells = max_cells
        self._affordable: int | None = None
        self._time: TimeLeft | None = None
        self._likely: tuple[int, FloatArray | None] | None = None

    def afford(self, cells: int, time: TimeLeft | None) -> None:
        """Note what the time allows, see `Rationed`."""
        self._affordable, self._time = cells, time

    @property
    def timed(self) -> bool:
        """True where the time that is left is known."""
        return self._time is not None

    @property
    def estimated(self) -> bool:
        """True where the number of cells is guessed from a time."""
        return self._affordable is not None

    @property
    def horizon(self) -> int:
        """Number of cells that the race plans with."""
        limits = [n for n in (self._max_cells, self._affordable) if n is not None]
        if self._max_cells is None:
            limits.append(typical_cells(self._problem))
        return min(limits)

    def seconds(self, board: Board) -> FloatArray | None:
        """Likely seconds of each config's cells; None before one was timed."""
        timed = int(board.timed.sum())
        if self._likely is None or self._likely[0] != timed:
            self._likely = (timed, predict_seconds(self._features, board))
        return self._likely[1]

    def prices(self, board: Board) -> FloatArray:
        """Price of a cell of each config, (configs,)."""
        seconds = self.seconds(board) if self.timed else None
        if seconds is None:
            return np.ones(self._problem.configs)
        return seconds / _typical(board)

    def left(self, board: Board, price: FloatArray) -> float:
        """Cells that may still be asked for, of mean price."""
        spent = board.count(ASKED, TOLD, FAILED)
        limits = [] if self._max_cells is None else [float(self._max_cells - spent)]
        if self._time is not None and board.timed.any():
            typical = _typical(board)
            underway = float(board.per_config(ASKED) @ price) - self._time.had / typical
            limits.append(self._time.seconds / typical - max(underway, 0.0))
        elif self._affordable is not None:
            limits.append(float(self._affordable - spent))
        return min(limits) if limits else np.inf

    def waits(self, cost: FloatArray, price: FloatArray) -> FloatArray:
        """Price of what slots may wait for each config's last cell, (configs,).

        One slot trains it, and the others may have no time for a further one.

        Args:
            cost: Price of what each config lacks, (configs,).
            price: Price of one cell, (configs,).
        """
        waiting = 0 if self._time is None else self._time.slots - 1
        return np.where(cost > 0, waiting * price, 0.0)

    def within(self, cells: IntArray, price: FloatArray, most: float) -> IntArray:
        """First cells that together cost no more; all where cells are counted."""
        return cells[np.cumsum(price[cells[:, 0]]) <= most] if self.timed else cells


def _typical(board: Board) -> float:
    """Mean seconds of a cell so far."""
    return float(board.seconds.sum() / max(board.timed.sum(), 1))


def seats(
    ranked: IntArray, cost: FloatArray, left: float, most: int, waits: FloatArray
) -> IntArray:
    """Best configs that can still be completed, in order of rank.

    Leaders change as the final's cells come in. A new one that could not be completed any more
    must not take the cells of one that can: then none would be, and only the complete can win.

    Args:
        ranked: Configs, best first.
        cost: Price of what each config lacks, (configs,).
        left: Budget.
        most: Most configs.
        waits: What slots may wait for each one's last cell, as a price, (configs,).
    """
    fit, waits = _completable(ranked, cost, left, waits)
    near = fit[np.isin(fit, ranked[: _REACH * most])]
    # Few cells, and the one that was begun with them fell far back: it, or nobody.
    among = near if len(near) else fit[:most]
    found: list[int] = []
    longest = 0.0
    for config in among.tolist():
        wait = max(longest, float(waits[config]))
        if len(found) < most and cost[config] + wait <= left:
            found.append(config)
            longest, left = wait, left - float(cost[config])
    return np.array(found, np.int64)


def last_seat(
    belief: Belief,
    good: FloatArray,
    ranked: IntArray,
    cost: FloatArray,
    left: float,
    most: int,
    waits: FloatArray,
) -> IntArray:
    """The one config that is completed, where no two can be, (1,).

    Of those that cannot be told from the best it is the one that is nearest to its last cell: were
    it the best of the moment, cells would go to each in turn, and complete none.

    Args:
        belief: Belief on the scores.
        good: Posterior means, more being better, (configs,).
        ranked: Configs that lack cells, best first.
        cost: Price of what each config lacks, (configs,).
        left: Budget, which completes one at least.
        most: Number of finalists that were wanted.
        waits: As of `seats`.
    """
    fit = _completable(ranked, cost, left, waits)[0][: _REACH * most]
    spread = belief.deviations()[fit]
    equal = fit[good[fit[0]] - good[fit] <= np.hypot(spread, spread[0])]
    nearest: IntArray = equal[np.argsort(cost[equal], kind="stable")][:1]
    return nearest


def _completable(
    ranked: IntArray, cost: FloatArray, left: float, waits: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Configs that a budget can complete, and the waits then."""
    fit = ranked[(cost + waits)[ranked] <= left]
    if len(fit):
        return fit, waits
    return ranked[cost[ranked] <= left], np.zeros_like(waits)  # slots may wait less than that
