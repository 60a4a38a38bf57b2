"""The console script on a pseudo-terminal, and what a person sees on its screen."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pyte

from tests.ray_share import ONE_CORE

_ROOT = Path(__file__).parents[2]
_SCRIPT = """\
import sys
sys.argv[0] = "foldrace"
from search.cli import script
script()
"""
_HISTORY = 5_000  # lines


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        code: Exit code.
        lines: All that was left on the screen, what scrolled off it included, without blank ends.
        sent: Every character that reached the terminal.
        cursor_hidden: Whether the cursor was left hidden.
    """

    code: int
    lines: tuple[str, ...]
    sent: str
    cursor_hidden: bool

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)

    def line(self, pattern: str) -> str:
        """The first line in which a regular expression is found."""
        for line in self.lines:
            if re.search(pattern, line):
                return line
        raise AssertionError(f"no line has {pattern!r}:\n{self.text}")


class Terminal:
    """A terminal of a given size that runs one command at a time, in a folder.

    Args:
        folder: Working directory.
        columns: Width.
        rows: Height.
        variables: More of the environment; an empty value removes a variable.
    """

    def __init__(
        self,
        folder: Path,
        columns: int = 80,
        rows: int = 24,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.columns, self.rows = columns, rows
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "PYTHONFAULTHANDLER": "1",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            **ONE_CORE,
        }
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "LC_ALL", "CI"):
            environment.pop(name, None)
        environment.update(variables or {})
        self._environment = {name: value for name, value in environment.items() if value}
        self._child: pexpect.spawn[str] | None = None
        self._sent: list[str] = []
        self._screen = pyte.HistoryScreen(columns, rows, history=_HISTORY)
        self._stream = pyte.Stream(self._screen)

    def start(self, *arguments: str, shell: str | None = None) -> None:
        """Start `foldrace` with these arguments.

        Args:
            arguments: Of the command line.
            shell: Where its streams go, as a shell writes it: "> out.txt", "| head -1".
        """
        import sys

        words = [sys.executable, "-c", _SCRIPT, *arguments]
        if shell is not None:
            line = 'exec "$@" ' + shell if "|" not in shell else '"$@" ' + shell
            words = ["/bin/bash", "-o", "pipefail", "-c", line, "bash", *words]
        self._child = pexpect.spawn(
            words[0],
            words[1:],
            cwd=str(self.folder),
            env=self._environment,
            dimensions=(self.rows, self.columns),
            encoding="utf-8",
            codec_errors="replace",
            timeout=None,
        )

    @property
    def child(self) -> pexpect.spawn[str]:
        """The command that runs."""
        assert self._child is not None, "nothing was started"
        return self._child

    def screen(self) -> str:
        """The screen as it is now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, pattern: str, seconds: float = 240) -> str:
        """The screen as soon as a regular expression is found on it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            going = self._read()
            if re.search(pattern, self.screen()):
                return self.screen()
            assert going, f"ended without {pattern!r}:\n{self._text()}"
        raise AssertionError(f"{pattern!r} was not seen in {seconds:g} s:\n{self._text()}")

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as when a window is dragged."""
        self.child.setwinsize(rows, columns)
        self._screen.resize(rows, columns)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.child.sendintr()

    def end(self, seconds: float = 300) -> Ended:
        """Wait for the command's end."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, f"not over after {seconds:g} s:\n{self._text()}"
        self.child.close()
        code = self.child.exitstatus
        if code is None:
            code = 128 + (self.child.signalstatus or 0)
        return Ended(code, self._lines(), "".join(self._sent), self._screen.cursor.hidden)

    def run(self, *arguments: str, shell: str | None = None, seconds: float = 300) -> Ended:
        """Run a command to its end."""
        self.start(*arguments, shell=shell)
        return self.end(seconds)

    def close(self) -> None:
        """End what still runs."""
        if self._child is not None and self._child.isalive():
            self._child.close(force=True)

    def _read(self) -> bool:
        """Take what has come; False at the end."""
        try:
            text = self.child.read_nonblocking(65_536, timeout=0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self._sent.append(text)
        self._stream.feed(text)
        return True

    def _lines(self) -> tuple[str, ...]:
        width = self._screen.columns
        above = [
            "".join(row[column].data for column in range(width)) for row in self._screen.history.top
        ]
        lines = [line.rstrip() for line in (*above, *self._screen.display)]
        while lines and not lines[-1]:
            lines.pop()
        return tuple(lines)

    def _text(self) -> str:
        return "\n".join(self._lines())
