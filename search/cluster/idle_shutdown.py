"""Run a command once a cluster has been idle for long.

    python -m search.cluster.idle_shutdown -- shutdown

A cluster's idle workers go by themselves; the head does not, and costs money. On the head of
cluster.yaml this stops the machine, whose disk with the ledger stays.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable

from search.cluster import submit
from search.errors import SweepError

_POLL_S = 30.0


def wait_for_idleness(
    busy: Callable[[], bool], seconds: float, pause: Callable[[float], None] = time.sleep
) -> None:
    """Return once nothing was busy for a period without a break.

    Args:
        busy: Returns True while something runs; called every half minute.
        seconds: For how long nothing must be.
        pause: Waits.
    """
    quiet = 0.0
    step = min(_POLL_S, seconds)
    while quiet < seconds:
        pause(step)
        quiet = 0.0 if busy() else quiet + step


def main() -> int:
    """Wait, then run what was given."""
    parser = argparse.ArgumentParser(
        prog="python -m search.cluster.idle_shutdown", description=__doc__
    )
    parser.add_argument("--address", default="http://127.0.0.1:8265", help="(%(default)s)")
    parser.add_argument("--minutes", type=float, default=60.0, help="without a job (60)")
    parser.add_argument("command", nargs="+", help="what to run then")
    options = parser.parse_args()

    def busy() -> bool:
        try:
            return any(
                status in ("PENDING", "RUNNING")
                for status in submit.jobs(options.address, "").values()
            )
        except SweepError:
            return False  # nobody can start a job where nobody answers

    wait_for_idleness(busy, 60 * options.minutes)
    return subprocess.run(options.command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
