"""The newest MLflow that pip offers, against the tables that foldrace reads and writes itself.

`make guard` runs this. It makes an environment of its own, which takes all but MLflow from the one
that runs it, and the two test files there compare each row and each answer with MLflow's client.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_TESTS = [f"tests/integration/ledger/test_{name}.py" for name in ("ledger_rows", "sqlite_store")]
_VERSION = "import mlflow; print(mlflow.__version__)"


def main(wanted: str) -> int:
    """Exit code: 0 where the tables are MLflow's, 1 where they are not.

    Args:
        wanted: Requirement that pip resolves.
    """
    with tempfile.TemporaryDirectory(prefix="foldrace-guard-") as place:
        python = environment(Path(place))
        before = _said(python, "-c", _VERSION)
        # Whatever caps releases here caps those of the repository: the newest is wanted.
        _said(
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--upgrade",
            wanted,
            PIP_CONSTRAINT=os.devnull,
        )
        newest = _said(python, "-c", _VERSION)
        compared = "as installed" if newest == before else f"installed is {before}"
        _say(f"The newest MLflow that pip can install here: {newest} ({compared})")
        command = [python, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", *_TESTS]
        failed = subprocess.run(command, cwd=_ROOT, check=False).returncode
    verdict = f"The tables of MLflow {newest} are those that foldrace reads and writes itself."
    if failed:
        verdict = (
            f"MLFLOW {newest} IS NOT THE ONE THAT FOLDRACE KNOWS.\n"
            "See search/tracking/sqlite_rows.py and sqlite_store.py: bring them up to it, or cap "
            "mlflow in pyproject.toml below it."
        )
    _say(verdict)
    return 1 if failed else 0


def environment(folder: Path) -> str:
    """Make an environment on top of this one; its Python."""
    venv.create(folder, with_pip=True)
    (own,) = folder.glob("lib/python*/site-packages")
    # Read after the folder's own packages, so that those come first.
    (own / "zz_below.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    return str(folder / "bin" / "python")


def _say(line: str) -> None:
    print(f"\n{line}", flush=True)  # noqa: T201


def _said(*command: str, **variables: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **variables},
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["mlflow"])))
