"""The standard run: a small sweep by the installed `foldrace`, in any surroundings."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.integration.sweep_shell import Found, Shell

FOLDRACE = str(Path(sys.executable).with_name("foldrace"))
ROOT = Path(__file__).parents[3]
# What the tests themselves set, and a stranger's shell has not.
_OURS = ("PYTHONPATH", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM", "PYTEST_CURRENT_TEST")
LONGEST_S = 240


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    left_behind: tuple[str, ...]  # Ray's processes a minute after the end


class Run:
    """The standard run in a folder of its own; six cells of a tiny encoder."""

    def __init__(self, folder: Path, encoder: Path, reviews: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []
        self.shell = Shell(folder, encoder, reviews)
        self.words = [
            *("run", "smoke", "--data", str(reviews), "--text", "body", "--label", "verdict"),
            *("--model", str(encoder), "--seeds", "2", "--folds", "2", "--strategy", "grid"),
            *(
                "--set",
                "k=2",
                "--set",
                "scale=3.3",
                "--fix",
                "epochs=4",
                "--fix",
                "learning_rate=0.003",
                "--name",
                "standard",
            ),
        ]

    def start(
        self, command: Sequence[str], more: Mapping[str, str | None]
    ) -> subprocess.Popen[str]:
        """Start a command in a session of its own, with variables set or, by None, unset."""
        changed = {**dict.fromkeys(_OURS), **more}
        kept = {name: value for name, value in os.environ.items() if name not in changed}
        given = {name: value for name, value in changed.items() if value is not None}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**kept, **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def wait_for_line(self, process: subprocess.Popen[str], start: str) -> None:
        """Read stderr up to a line that begins so."""
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(start):
                return
        raise AssertionError(f"no line {start!r}")

    def end_all(self) -> None:
        """End what a failing test left."""
        for process in self._started:
            for number in _of_session(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            process.communicate()

    def ended(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for a command's end, and look for what it left behind."""
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.communicate(timeout=30)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            raise
        return Ended(process.returncode, out, err, left_behind(process.pid))

    def table(self) -> dict[str, Found]:
        return self.shell.table()


def left_behind(session: int) -> tuple[str, ...]:
    """Commands of a session that run a minute after its leader's end."""
    deadline = time.monotonic() + 60  # Ray notices a death within seconds where the machine is free
    while _of_session(session) and time.monotonic() < deadline:
        time.sleep(0.5)
    return tuple(_of_session(session).values())


def _of_session(session: int) -> dict[int, str]:
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            own = os.getsid(process.pid) == session
            if own and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())[:120]
    return found
