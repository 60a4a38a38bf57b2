"""What a command's process is started with, made such that all that it calls can work with it."""

from __future__ import annotations

import os
import stat
import sys
import warnings

from search.process import launchers


def settle() -> None:
    """Give a command streams, and keep a launcher's variables and fatal warnings from it."""
    _open_streams()
    launchers.forget()
    # -W error and PYTHONWARNINGS=error are meant for one's own code: libraries warn of themselves
    # in their first lines, here and in Ray's processes, which would end there.
    if any(action == "error" for action, *_ in warnings.filters):
        warnings.simplefilter("default")
    if "error" in os.environ.get("PYTHONWARNINGS", ""):
        os.environ["PYTHONWARNINGS"] = "default"


def _open_streams() -> None:
    """Give what was started with closed streams empty ones: else the next file becomes stdout."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def leave_terminal() -> None:
    """Let what is still to be said go nowhere where the terminal has been closed."""
    for number in (1, 2):
        if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
