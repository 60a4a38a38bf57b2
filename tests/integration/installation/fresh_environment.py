"""A virtual environment with nothing in it, and what pip puts there."""

from __future__ import annotations

import os
import subprocess
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[3]
_SHOWN = 4000


class FreshEnvironment:
    """An environment that knows nothing of the one that makes it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True, clear=True)
        self.folder = folder

    def program(self, name: str) -> str:
        """Path of a program in it."""
        return str(self.folder / "bin" / name)

    def pip(self, *words: str) -> float:
        """Run pip there; the seconds it took.

        Raises:
            SystemExit: if pip refuses.
        """
        began = time.monotonic()
        self.run("python", "-m", "pip", "--disable-pip-version-check", "--quiet", *words)
        return time.monotonic() - began

    def run(
        self, name: str, *words: str, cwd: Path = ROOT, more: dict[str, str] | None = None
    ) -> str:
        """Run a program of it; its output.

        Raises:
            SystemExit: if it does not end with 0; with what it said.
        """
        done = subprocess.run(
            [self.program(name), *words],
            cwd=cwd,
            env=_bare() | (more or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr)[-_SHOWN:]
            raise SystemExit(f"{name} {' '.join(words)} ended with {done.returncode}:\n{said}")
        return done.stdout

    def start(
        self, name: str, *words: str, more: dict[str, str], log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a program of it that goes on, and writes what it says to a file."""
        with log.open("wb") as said:
            return subprocess.Popen(
                [self.program(name), *words],
                env=_bare() | more,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def versions(self, names: Sequence[str]) -> dict[str, str]:
        """Version of each package that is installed there, by its name."""
        code = "import sys\nfrom importlib import metadata\nfor name in sys.argv[1:]:"
        code += "\n    print(metadata.version(name))"
        return dict(zip(names, self.run("python", "-c", code, *names).split(), strict=True))


def _bare() -> dict[str, str]:
    """Variables without those that lead to another Python's packages."""
    ours = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "FOLDRACE_CACHE"}
    return {name: value for name, value in os.environ.items() if name not in ours}
