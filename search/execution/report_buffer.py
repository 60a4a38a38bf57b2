"""Buffer of a worker's results, sent to the driver once a second."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from trainables.engine.contract import CellResult

# A report costs the driver 5-20 ms, whatever is in it: at one a second that is a small share.
_SECONDS_PER_REPORT = 1.0


class ReportBuffer:
    """Collects results until waiting results would come too late.

    The next cell of a stack takes about as long as the one before. So a cell of a second or more is
    reported at once, and a shorter one waits for about a second at most; results that a killed
    worker had not reported are trained again.

    Args:
        report: Function that sends a text to the driver.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._waiting: list[dict[str, Any]] = []
        self._reported_at = self._added_at = time.monotonic()

    def add(self, result: CellResult) -> None:
        """Take a result; report all waiting ones, if it is time."""
        now = time.monotonic()
        self._waiting.append(result.to_json())
        next_at = now + (now - self._added_at)
        self._added_at = now
        if next_at - self._reported_at >= _SECONDS_PER_REPORT:
            self.send()

    def send(self) -> None:
        """Report all waiting results."""
        if self._waiting:
            # One text: Tune flattens and looks through nested values, at a cost per report.
            self._report(json.dumps(self._waiting))
            self._waiting = []
        self._reported_at = self._added_at = time.monotonic()


def read_report(text: str) -> Sequence[CellResult]:
    """Read the results in a report."""
    return [CellResult.from_json(result) for result in json.loads(text)]
