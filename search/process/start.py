"""Streams, signals and variables of a command's process, set right."""

from __future__ import annotations

import os
import stat
import sys
import warnings

from search.process import launchers


def settle() -> None:
    """Give a command streams; hide launchers' variables and fatal warnings."""
    _open_streams()
    launchers.forget()
    # -W error and PYTHONWARNINGS=error are meant for one's own code: libraries warn of themselves
    # in their first lines, here and in Ray's processes, which would end there.
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")
    if "error" in os.environ.get("PYTHONWARNINGS", ""):
        os.environ["PYTHONWARNINGS"] = "default"


def _open_streams() -> None:
    """Replace closed streams: else the next file opened becomes stdout."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def leave_terminal() -> None:
    """Discard further output once the terminal has been closed."""
    for number in (1, 2):
        if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
