"""What a cell costs: its time, estimated from a few steps, and its peak of memory."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """What a few measured steps say of a cell.

    Attributes:
        seconds_per_step: Of one training step.
        steps_per_cell: Training steps of a whole cell.
        seconds_per_cell: Training and scoring of a whole cell.
        stack_size: Number of cells trained as one model.
    """

    seconds_per_step: float
    steps_per_cell: int
    seconds_per_cell: float
    stack_size: int = 1


class Clock:
    """Time for a measurement, from now on.

    Args:
        seconds: How long it may take; without a limit by default.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._began, self._seconds = time.monotonic(), seconds

    @property
    def spent(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the time is over; negative once it is."""
        return self._seconds - self.spent

    def share(self, share: float) -> Clock:
        """Another clock, from now on, with a share of the time that is left."""
        return Clock(share * max(0.0, self.left))


def forget_peak() -> None:
    """Start the peak anew, so that a cell's peak is its own."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        # Linux: start the process's high-water mark anew, so that a cell's peak is its own.
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_mib() -> float:
    """Peak memory since `forget_peak`: of the GPU where there is one, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
