"""Cost of a cell: time, by a few steps, and peak memory."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """Estimate of a cell's time from a few steps.

    Attributes:
        seconds_per_step: Seconds of one training step.
        steps_per_cell: Number of training steps of a whole cell.
        seconds_per_cell: Seconds of training and scoring of a whole cell.
        stack_size: Number of cells trained as one model.
    """

    seconds_per_step: float
    steps_per_cell: int
    seconds_per_cell: float
    stack_size: int = 1


class Clock:
    """Time for a measurement, from now on.

    Args:
        seconds: Seconds that it may take; without a limit by default.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._began, self._seconds = time.monotonic(), seconds

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the time is over; negative once it is."""
        return self._seconds - self.spent

    def share(self, share: float) -> Clock:
        """Start another clock with a share of the time left."""
        return Clock(share * max(0.0, self.left))


def forget_peak() -> None:
    """Reset the peak, so that a cell's peak is its own."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        # Linux: this resets the process's high-water mark.
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_mib() -> float:
    """Peak memory since `forget_peak`: the GPU's, else the process's."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
