"""Drivers at once on one ledger, killed at random: every cell one run, every config one run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.fault_table import Noter
from tests.integration.ledger_server import Server
from tests.integration.postgres import Database

pytestmark = pytest.mark.integration

_FLEET = Path(__file__).parents[1] / "fleet.py"
# A `run` after a killed one of its name is another sweep, so two of a name are no fault.
_NEVER = ("cells_missing", "cells_twice", "configs_twice", "tags_left")
_LONG = pytest.mark.skipif(
    not os.environ.get("FOLDRACE_FAULTS"), reason="minutes on 2 cores: `make faults` runs it"
)


def play(uri: str, folder: Path, *flags: object) -> list[dict[str, Any]]:
    """Play rounds in a process that forks; one line of counts a round."""
    command = [sys.executable, str(_FLEET), uri, str(folder), *map(str, flags)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    total: Counter[str] = Counter()
    for counts in rounds:
        total.update({name: n for name, n in counts.items() if isinstance(n, int)})
    print(f"{len(rounds)} rounds, flags {flags}: {dict(total)}")  # noqa: T201
    for counts in rounds:
        log = (folder / f"round-{counts['round']}" / "log").read_text()
        assert counts["last"] == ["done", "done"], (counts, log[-3000:])
        assert not any(counts[name] for name in _NEVER), (counts, log[-3000:])
        assert set(counts["answers"]) <= {"done", "refused", "killed"}, (counts, log[-3000:])
    return rounds


def test_without_kills_no_cell_is_trained_twice(ledger_uri: str, tmp_path: Path) -> None:
    rounds = play(ledger_uri, tmp_path, "--rounds", 2, "--drivers", 4)
    assert [counts["trained_again"] for counts in rounds] == [0, 0]
    assert all(counts["answers"]["done"] >= 3 for counts in rounds)


def test_killed_drivers_leave_each_cell_and_config_once(
    ledger_uri: str, tmp_path: Path, moments: np.random.Generator
) -> None:
    play(ledger_uri, tmp_path, "--rounds", 2, "--drivers", 4, "--kills", "--seed", draw(moments))


@pytest.fixture
def server(database: Database, tmp_path: Path) -> Iterator[str]:
    database.run("CREATE ROLE mlflow LOGIN PASSWORD 'mlflow'")
    database.run("CREATE DATABASE mlflow OWNER mlflow")
    store = f"postgresql+psycopg2://mlflow:mlflow@127.0.0.1:{database.port}/mlflow"
    server = Server(tmp_path, workers=2, store=store)
    server.start()
    try:
        server.wait()
        yield server.uri
    finally:
        server.kill()


@_LONG
@pytest.mark.timeout(3600)  # 17 rounds on a server took more than 900 s where others worked, too
@pytest.mark.parametrize("ledger", ["sqlite", "a server over PostgreSQL"])
@pytest.mark.parametrize("where", ["one machine", "a machine each"])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_many_drivers(
    ledger: str,
    where: str,
    count: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    moments: np.random.Generator,
    faulted: Noter,
) -> None:
    uri = request.getfixturevalue("ledger_uri" if ledger == "sqlite" else "server")
    flags = ["--abroad"] if where == "a machine each" else []
    number = 17
    rounds = play(
        *(uri, tmp_path, "--rounds", number, "--drivers", count, "--kills"),
        *("--seed", draw(moments), *flags),
    )
    faulted(
        f"{count} drivers at once, {where}, {ledger}: killed -9 ({number} rounds)",
        sum(counts["killed"] for counts in rounds),
        lost=sum(counts["cells_missing"] for counts in rounds),
        twice=sum(counts["cells_twice"] for counts in rounds),
        changed=sum(counts["last"] != ["done", "done"] for counts in rounds),
    )


def draw(moments: np.random.Generator) -> int:
    return int(moments.integers(2**31))
