"""Ctrl-C, a scheduler's SIGTERM and a terminal that closes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn

from search.process import start


def end_as_ctrl_c_does() -> None:
    """Let SIGTERM and SIGHUP end a command in order.

    Results are delivered, and it can be resumed.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, _terminate)


def take_ctrl_c() -> None:
    """Let one Ctrl-C end a command in order, two at once."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as a shell's background has it
        signal.signal(signal.SIGINT, _Interrupt())
    sys.unraisablehook = _deliver_again


def _terminate(signal_number: int, frame: object) -> NoReturn:
    if signal_number == signal.SIGHUP:
        start.leave_terminal()
    raise KeyboardInterrupt


class _Interrupt:
    """Ctrl-C: once ends a command in order, twice ends it at once."""

    def __init__(self) -> None:
        self._times = 0

    def __call__(self, signal_number: int, frame: object) -> None:
        self._times += 1
        if self._times == 1:
            raise KeyboardInterrupt
        with contextlib.suppress(OSError):
            shown = "\x1b[?25h" if os.isatty(2) else ""
            os.write(2, f"{shown}\nended at once; `foldrace resume` goes on\n".encode())
        os._exit(130)  # results are on disk; a Ray of our own ends with its driver


def _deliver_again(swallowed: sys.UnraisableHookArgs) -> None:
    """Deliver an interruption again that fell into a destructor.

    What a destructor or a weak reference's callback raises, Python prints and forgets: Ctrl-C would
    be without effect.
    """
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)
        return
    # Later, from another thread: here it would be swallowed once more.
    main_thread = threading.main_thread().ident
    threading.Timer(0.05, signal.pthread_kill, (main_thread, signal.SIGTERM)).start()
