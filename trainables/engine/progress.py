"""Progress of long work, on stderr."""

from __future__ import annotations

import sys
import time

_QUIET_S, _BETWEEN_S = 2.0, 5.0


class Ticker:
    """A progress line after 2 s, then every 5 s.

    Args:
        what: Name of the work.
        unit: Name of the counted things.
    """

    def __init__(self, what: str, unit: str = "texts") -> None:
        self._what, self._unit = what, unit
        self._began = time.perf_counter()
        self._next = self._began + _QUIET_S
        self._spoke = False

    def __call__(self, done: int, total: int) -> None:
        """Report the number of things that are done."""
        now = time.perf_counter()
        if now < self._next or not done:
            return
        self._next, self._spoke = now + _BETWEEN_S, True
        seconds = now - self._began
        left = seconds / done * (total - done)
        sys.stderr.write(
            f"{self._what}: {done:,} of {total:,} {self._unit}, {seconds:.0f} s, "
            f"about {left:.0f} s left\n"
        )
        sys.stderr.flush()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began

    def end(self, total: int) -> None:
        """Report the end, where something was reported before."""
        if self._spoke:
            sys.stderr.write(f"{self._what}: {total:,} {self._unit} in {self.seconds:.1f} s\n")
