"""Sizes of stacks, from what the cells so far took."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

# A trial costs some 20-100 ms around its training; so much training makes that a small share.
SECONDS_PER_STACK = 5.0
_MOST_CELLS_PER_STACK = 512
# Cells of a shape in a stack before one has come in: with two a worker can measure their gain.
_FIRST_OF_A_SHAPE = 2
# Cells asked for at once are picked without one another's scores: a strategy that learns may commit
# so many per slot, or this share of all results, in all slots together.
_CELLS_WITHOUT_NEWS = 16
_SHARE_WITHOUT_NEWS = 1 / 8
# So much of the time left goes into one stack: with more, a few stacks of dear cells that the first
# scores picked are all that the slots still have time for.
_SHARE_OF_THE_LEFT = 1 / 16


@dataclass
class _Costs:
    """Seconds of the last cells, and the fastest size of a stack."""

    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    fastest: int | None = None

    @property
    def typical(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds) if self.seconds else 0.0


@dataclass
class StackSizes:
    """Sizes of stacks, by what cells of each shape take.

    Attributes:
        stack: Cells per stack, or "auto" for about `seconds_per_stack` of training.
        slots: Number of stacks that run at once.
        seconds_per_stack: Training time beside which the start of a trial is small.
        received: Number of cells that came in.
    """

    stack: int | Literal["auto"]
    slots: int
    seconds_per_stack: float = SECONDS_PER_STACK
    received: int = 0
    _every: _Costs = field(default_factory=_Costs)
    _of_shape: dict[object, _Costs] = field(default_factory=dict)

    def most(self, shape: object = None) -> int:
        """Most cells that the next stack may hold.

        Args:
            shape: Shape of its cells; None for the shape that may hold most.
        """
        if self.stack != "auto":
            return self.stack
        if shape is None and self._of_shape:
            return max(map(self.most, self._of_shape))
        own = self._of_shape.get(shape)
        if own is None or not own.seconds:
            # What others take says nothing of a shape's first cells: k = 2,000 beside k = 10.
            return _FIRST_OF_A_SHAPE if self._every.seconds else 1
        # A worker measures the gain of training several as one model once it has several.
        fastest = own.fastest or self._every.fastest or 2
        size = round(self.seconds_per_stack / max(own.typical, 1e-3))
        blind = max(_CELLS_WITHOUT_NEWS, int(self.received * _SHARE_WITHOUT_NEWS) // self.slots)
        return max(fastest, min(_MOST_CELLS_PER_STACK, blind, size))

    def longest(self, left: float) -> float | None:
        """Most seconds of a stack; None for no limit.

        What trains fastest as one model stays one.
        """
        if math.isinf(left):
            return None
        return max(_SHARE_OF_THE_LEFT * left, (self._every.fastest or 1) * self._every.mean)

    def seconds(self, shape: object = None) -> float:
        """Mean seconds of a shape's last cells, else of all."""
        return self._of_shape.get(shape, self._every).mean

    def took(self, shape: object, seconds: float) -> None:
        """Note what a cell took."""
        for costs in (self._every, self._of_shape.setdefault(shape, _Costs())):
            costs.seconds.append(seconds)

    def fastest(self, cells: int, shape: object = None) -> None:
        """Note the number of cells that train fastest as one model.

        Args:
            cells: Their number.
            shape: Shape of those who found it; None for all cells.
        """
        known = [self._every]
        if shape is not None:
            known.append(self._of_shape.setdefault(shape, _Costs()))
        for costs in known:
            costs.fastest = max(1, min(_MOST_CELLS_PER_STACK, cells))
