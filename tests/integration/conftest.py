"""Ledgers on real MLflow databases, for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Where the tests of this folder find what they share.
sys.path.insert(0, str(Path(__file__).parent))

from ledger_cells import Opener

from search.ledger import Ledger


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with MLflow's tables: making them takes seconds, so once for all tests."""
    file = tmp_path_factory.mktemp("database") / "mlflow.db"
    Ledger(f"sqlite:///{file}", "test", file.parent / "spool").check()
    return file.read_bytes()


@pytest.fixture
def ledger_uri(tmp_path: Path, empty_database: bytes) -> str:
    file = tmp_path / "mlflow.db"
    file.write_bytes(empty_database)
    return f"sqlite:///{file}"


@pytest.fixture
def open_ledger(ledger_uri: str, tmp_path: Path) -> Iterator[Opener]:
    """Ledgers on one database and one spool, as so many processes would open them."""
    opened: list[Ledger] = []

    def make() -> Ledger:
        opened.append(Ledger(ledger_uri, "test", tmp_path / "spool"))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close(10)
