"""A PostgreSQL of its own for tests of servers."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Database:
    """A PostgreSQL of its own, on the loopback, with passwords asked for there.

    Args:
        folder: For its files and its socket; its server's user must own it.
        user: Whom it runs as, and who is its superuser: it refuses to be root.
    """

    def __init__(self, programs: Path, folder: Path, user: str) -> None:
        self.port = free_port()
        self._programs, self._folder, self._user = programs, folder, user
        self._call(
            "initdb",
            *("-D", str(folder / "data"), "-U", user, "--no-locale", "-E", "UTF8", "--no-sync"),
            *("--auth-host=scram-sha-256", "--auth-local=trust"),
        )
        self._process = subprocess.Popen(
            [
                str(programs / "postgres"),
                *("-D", str(folder / "data"), "-k", str(folder), "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1"),
            ],
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        ready = [str(self._programs / "pg_isready"), "-h", str(self._folder), "-p", str(self.port)]
        deadline = time.monotonic() + 60
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            assert self._process.poll() is None, "PostgreSQL did not start"
            assert time.monotonic() < deadline, "PostgreSQL did not answer"
            time.sleep(0.2)

    def _call(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        subprocess.run(command, user=self._user, cwd=self._folder, capture_output=True, check=True)

    def run(self, sql: str) -> str:
        """What the superuser's psql says, as cluster.yaml's does."""
        words = ["--quiet", "--no-psqlrc", "--tuples-only", "--no-align"]
        words += ["-h", str(self._folder), "-p", str(self.port), "-U", self._user]
        database = "mlflow" if "FROM runs" in sql else "postgres"
        done = subprocess.run(
            [str(self._programs / "psql"), *words, "-v", "ON_ERROR_STOP=1", database],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def lets_in(self, password: str) -> bool:
        """Whether the role of the server may connect by that password."""
        words = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", "-c", "SELECT 1"]
        done = subprocess.run(
            [str(self._programs / "psql"), *words, "mlflow"],
            env={**os.environ, "PGPASSWORD": password},
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=60)


@contextlib.contextmanager
def running() -> Iterator[Database]:
    """Start a PostgreSQL in a folder of its own; skips the test where there is none."""
    pytest.importorskip("psycopg2", reason="MLflow's way to PostgreSQL is not installed")
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL here (Debian's package postgresql)")
    user = pwd.getpwuid(os.geteuid()).pw_name
    if os.geteuid() == 0:
        user = "nobody"
    # Not in a test's own folder, which its user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="foldrace-postgres-"))
    shutil.chown(folder, user)
    try:
        server = Database(found, folder, user)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
