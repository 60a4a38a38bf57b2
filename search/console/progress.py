"""Speed of a sweep and the time left, with its uncertainty."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_FEWEST = 3  # cells before a time is named
_WIDTH = 1.2816  # a normal's 10th to 90th percentile


@dataclass(frozen=True)
class TimeLeft:
    """Upper estimate of the seconds left, with an 80% interval."""

    low: float
    middle: float
    high: float


@dataclass
class Progress:
    """Counts cells and takes the time.

    Attributes:
        planned: Cells in all, those of the ledger included.
        reused: Cells that the ledger had.
        may_end_early: True if the strategy may need fewer.
        clock: Seconds, rising.
    """

    planned: int
    reused: int = 0
    may_end_early: bool = False
    clock: Callable[[], float] = time.monotonic
    trained: int = 0
    _began: float = field(default=math.nan)
    _sum: float = 0.0
    _squares: float = 0.0

    def start(self) -> None:
        """Workers are up; only the first call counts."""
        if math.isnan(self._began):
            self._began = self.clock()

    def cell(self, seconds: float | None) -> None:
        """Count a cell and its training seconds, if known."""
        self.trained += 1
        taken = seconds if seconds is not None and math.isfinite(seconds) else 0.0
        self._sum += taken
        self._squares += taken * taken

    @property
    def done(self) -> int:
        """Cells that are there."""
        return self.reused + self.trained

    @property
    def per_minute(self) -> float:
        """Cells trained per minute over the whole run; 0 at first."""
        elapsed = 0.0 if math.isnan(self._began) else self.clock() - self._began
        return 60 * self.trained / elapsed if elapsed > 0 else 0.0

    @property
    def left(self) -> TimeLeft | None:
        """Time that the planned cells would take; None at first.

        Two things are not known: the mean cell, of which `trained` were seen, and the luck of the
        cells to come. Both shrink with the spread of the cells' own seconds.
        """
        todo, rate = self.planned - self.done, self.per_minute / 60
        if self.trained < _FEWEST or rate <= 0 or todo < 0:
            return None
        mean, freedom = self._sum / self.trained, self.trained - 1
        spread = math.sqrt(max(self._squares - self.trained * mean * mean, 0.0) / freedom)
        unsure = spread / mean * math.sqrt(1 / self.trained + 1 / max(todo, 1)) if mean else 1.0
        # Student's t in the place of the normal, by the first term of its expansion.
        width = _WIDTH * (1 + (_WIDTH**2 + 1) / (4 * freedom))
        middle = todo / rate
        return TimeLeft(
            middle * math.exp(-width * unsure), middle, middle * math.exp(width * unsure)
        )
