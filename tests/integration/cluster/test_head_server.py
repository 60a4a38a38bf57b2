"""A cluster head's ledger, for real: PostgreSQL, MLflow before it, a password before that."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from search.cluster import mlflow_server
from tests.integration.postgres import Database, free_port
from tests.integration.sweep_shell import Shell

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not os.environ.get("FOLDRACE_FAULTS"), reason="minutes on 2 cores: `make faults` runs it"
    ),
]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The passwords that the head draws for itself."""
    drawn = dict(line.split("=", 1) for line in mlflow_server.passwords().splitlines())
    for name in drawn:
        monkeypatch.delenv(name, raising=False)
    return drawn


def secrets_of(variables: dict[str, str]) -> list[str]:
    return [value for name, value in variables.items() if not name.endswith("_USERNAME")]


@contextlib.contextmanager
def serving(variables: dict[str, str], folder: Path, port: int, at: str) -> Iterator[str]:
    """The head's server, its tables made."""
    own = {**os.environ, **variables}
    command, environment = mlflow_server.command(own, folder, port, at)
    log = (folder / "log").open("w+b")
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,  # its workers end with it
    )
    uri = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{uri}/health", timeout=5).close()
                break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.3)
        # What every user of the machine can read.
        server = psutil.Process(process.pid)
        said = [
            word for one in [server, *server.children(recursive=True)] for word in one.cmdline()
        ]
        assert not [word for word in said if any(one in word for one in secrets_of(variables))]
        yield uri
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def test_a_sweep_reaches_the_heads_ledger_by_its_password_alone(
    database: Database,
    variables: dict[str, str],
    tmp_path: Path,
    tiny_encoder: Path,
    reviews: Path,
) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "search.cluster.mlflow_server", "sql"],
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    for _ in range(2):  # `ray up` is typed more than once
        database.run(made.stdout)
    assert database.lets_in(variables["FOLDRACE_DATABASE_PASSWORD"])
    assert not database.lets_in("guessed")

    at = f"127.0.0.1:{database.port}"
    with serving(variables, tmp_path / "server", free_port(), at) as uri:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{uri}/api/2.0/mlflow/experiments/search?max_results=1")
        assert refused.value.code == 401
        refused.value.close()

        (tmp_path / "work").mkdir()
        shell = Shell(tmp_path / "work", tiny_encoder, reviews, uri)
        names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
        shell.more = {name: variables[name] for name in names}
        sweep = ("run", *shell.sweep, "--max-cells", "4")
        first = shell.json(*sweep, "--name", "first")
        assert first["cells_done"] == 4
        assert shell.json("leaderboard", "first")["configs"] == first["configs"]
        shell.more = {**shell.more, "MLFLOW_TRACKING_PASSWORD": "guessed"}
        _, told = shell.run(*sweep, "--name", "stranger", code=2)
        assert "401" in told or "password" in told

    # Configs and sweeps beside them; the stranger is not there.
    assert int(database.run("SELECT count(*) FROM runs")) >= 4 + 1
    written = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    for secret in secrets_of(variables):
        assert not [path for path in written if secret.encode() in path.read_bytes()]
