"""A time limit for each cell of a trial."""

from __future__ import annotations

import faulthandler

from trainables.engine.contract import CellResult

# A model may have to be fetched first, and a busy machine is slow to import.
_LOADING_S = 1800.0


class CellClock:
    """Ends the process when its next result is overdue.

    Before `start` it allows for imports, data and weights: they are no cell's time.
    The dispatcher knows which cells are left. The clock is in C, so that a cell that hangs with the
    interpreter locked is ended, too.

    Args:
        minutes: Longest time of one cell; None for no limit.
        cells: Number of cells in the trial: trained as one model, they come in together at the end.
    """

    def __init__(self, minutes: float | None, cells: int) -> None:
        self._seconds = None if minutes is None else 60 * minutes
        self._left = cells
        if self._seconds is not None:
            faulthandler.dump_traceback_later(max(_LOADING_S, self._seconds), exit=True)

    def start(self) -> None:
        """Begin to count: data and weights are in memory."""
        self._wind()

    def _wind(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._seconds is not None and self._left > 0:
            faulthandler.dump_traceback_later(self._seconds * self._left, exit=True)

    def came_in(self, result: CellResult) -> None:
        """Note that a cell is done."""
        self._left -= 1
        self._wind()

    def stop(self) -> None:
        """Stop: all cells are done, or the trial has failed."""
        faulthandler.cancel_dump_traceback_later()
