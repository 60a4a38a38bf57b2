"""Watcher process that ends Ray's processes if the driver is killed.

Run by its path, with Python's own library alone; its standard input ends when the driver does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE_S = 4.0  # Ray's processes notice that their driver is gone, its agents late


def bearing(entry: str) -> list[int]:
    """Ids of processes that began with a variable NAME=VALUE.

    Args:
        entry: The variable.
    """
    ids = []
    for folder in Path("/proc").iterdir():
        # Not all may be looked at, and one may end between the look and the question.
        with suppress(OSError):
            variables = (folder / "environ").read_bytes().split(b"\0")
            if folder.name.isdecimal() and entry.encode() in variables:
                ids.append(int(folder.name))
    return ids


def main(entry: str) -> None:
    """Wait for the driver's end, then for Ray's, then end Ray."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    deadline = time.monotonic() + _PATIENCE_S
    while bearing(entry) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in bearing(entry):
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
