"""A time limit for each cell of a trial."""

from __future__ import annotations

import faulthandler

from trainables.engine.contract import CellResult


class CellClock:
    """Ends the process when its next result is overdue: whoever trains its cells knows the rest.

    The clock is in C, so that a cell that hangs with the interpreter locked is ended, too.

    Args:
        minutes: What one cell may take; None for no limit.
        cells: How many the trial holds: trained as one model, they come in together at the end.
    """

    def __init__(self, minutes: float | None, cells: int) -> None:
        self._seconds = None if minutes is None else 60 * minutes
        self._left = cells
        self._wind()

    def _wind(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._seconds is not None and self._left > 0:
            faulthandler.dump_traceback_later(self._seconds * self._left, exit=True)

    def came_in(self, result: CellResult) -> None:
        """A cell is done."""
        self._left -= 1
        self._wind()

    def stop(self) -> None:
        """All are done, or the trial has failed."""
        faulthandler.cancel_dump_traceback_later()
