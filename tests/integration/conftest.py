"""Ledgers on real MLflow databases, for the tests of this folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.errors import SweepError
from search.ledger.ledger import Ledger
from search.planning.plan import Plan
from search.sweep import nested_cv, train_sweep
from search.tracking.open import connect
from search.tracking.sqlite_database import make_database
from tests.integration import sweep_shell
from tests.integration.fault_table import TABLE, FaultTable, Noter
from tests.integration.ledger_cells import Opener
from tests.integration.postgres import Database, running
from trainables.engine.cells import runner
from trainables.engine.contract import Cell


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Commands that a failing test left running end with it."""
    yield
    for process in sweep_shell.started:
        if process.poll() is None:
            process.kill()
            process.communicate()
    sweep_shell.started.clear()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with MLflow's tables: making them takes seconds, so once for all tests."""
    file = tmp_path_factory.mktemp("database") / "mlflow.db"
    make_database(file, file.parent / "mlartifacts")
    return file.read_bytes()


@pytest.fixture
def ledger_uri(tmp_path: Path, empty_database: bytes) -> str:
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_database)
    return f"sqlite:///{file}"


@pytest.fixture
def faulted(request: pytest.FixtureRequest) -> Noter:
    """Notes what a fault has cost, for the table at the end of `make faults`."""
    return request.config.stash.setdefault(TABLE, FaultTable()).note


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table of faults."""
    table = config.stash.get(TABLE, None)
    if table is not None:
        terminalreporter.write_line(f"\n{table}\n")


@pytest.fixture
def database() -> Iterator[Database]:
    """A PostgreSQL of its own; skips where there is none."""
    with running() as server:
        yield server


@pytest.fixture
def open_ledger(ledger_uri: str, tmp_path: Path) -> Iterator[Opener]:
    """Ledgers on one database and one spool, as so many processes would open them."""
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(connect(ledger_uri, "test", tmp_path / "spool"))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close(10)


@pytest.fixture
def moments() -> np.random.Generator:
    """Draws when something is killed: other moments each time, the same ones for the same seed."""
    seed = int(os.environ.get("FOLDRACE_KILL_SEED") or secrets.randbits(32))
    print(f"The moments of this test come again with FOLDRACE_KILL_SEED={seed}")  # noqa: T201
    return np.random.default_rng(seed)


def train_here(monkeypatch: pytest.MonkeyPatch, cells: list[Cell]) -> None:
    """Let sweeps train in this process, one cell after another; the list gets them."""

    def train(plan: Plan, source: Any, handler: Any, sweep_id: str, callback: Any) -> bool:
        while not source.done:
            if (reason := handler.halted()) is not None:
                raise SweepError(reason)
            for pair in source.ask(1):
                cells.append(plan.cell(pair))
                runner.train_cells(
                    plan.task, cells[-1:], lambda r, p=pair: handler.results([(p, r)])
                )
        return True

    for module in (train_sweep, nested_cv):
        monkeypatch.setattr(module, "train_cells", train)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Cells train in this process, one by one; the list holds them."""
    cells: list[Cell] = []
    train_here(monkeypatch, cells)
    return cells
