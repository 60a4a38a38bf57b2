"""A local ledger read without MLflow is the one that MLflow reads."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from search.errors import DeliveryRefusedError
from search.ledger.store import Kind, Store
from search.tracking.client import MlflowStore
from search.tracking.open import connect
from search.tracking.sqlite_store import SqliteStore
from tests.integration.ledger_cells import FAMILY, Opener, key_of, record, result

pytestmark = pytest.mark.integration

_ROOT = Path(__file__).parents[3]
_NAMES: Mapping[Kind, str] = {"configs": "test", "cells": "test/cells", "sweeps": "test/sweeps"}
_KINDS: tuple[Kind, ...] = ("configs", "cells", "sweeps")


def _no_writer(read_to: object) -> Store:
    raise AssertionError("MLflow was asked")


def reader(file: Path) -> SqliteStore:
    return SqliteStore(file, _NAMES, _no_writer)


@pytest.fixture
def filled(open_ledger: Opener, tmp_path: Path) -> Path:
    """A ledger with a sweep, three cells of which one failed, a config, a deleted run."""
    ledger = open_ledger()
    sweep = ledger.start_sweep("mine", {"spec": {"space": "smoke"}}, {"space": "smoke"})
    ledger.attach(sweep, {"a note": "text", "report/figures/one.svg": "<svg/>"})
    for number in range(3):
        record(ledger, number, "failed" if number == 2 else "done")
    ledger.record_config(sweep, "k=10", params={"k": 10}, scores=[0.5, 0.25], seconds=1, tags={})
    gone = ledger.start_sweep("gone", {}, {})
    assert ledger.flush(30)
    ledger._store.delete([gone])
    return tmp_path / "mlflow.db"


def mlflows(file: Path) -> MlflowStore:
    return MlflowStore(f"sqlite:///{file}", _NAMES, file.parent / "mlartifacts")


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_what_is_read_is_what_mlflow_reads(filled: Path, journal: str) -> None:
    with closing(sqlite3.connect(filled)) as database:
        database.execute(f"PRAGMA journal_mode = {journal}")
    ours, theirs = reader(filled), mlflows(filled)
    for kind in _KINDS:
        runs = ours.runs(kind)
        assert runs == theirs.runs(kind)
        assert runs
        assert ours.folder(kind) == theirs.folder(kind)
    assert ours.runs("cells", "family", FAMILY) == theirs.runs("cells", "family", FAMILY)
    assert ours.runs("cells", "family", "of nobody") == []
    keys = [key_of(number) for number in range(4)]
    statuses = {run.tags["cell_key"]: run.status for run in ours.find("cells", "cell_key", keys)}
    assert statuses == {
        run.tags["cell_key"]: run.status for run in theirs.find("cells", "cell_key", keys)
    }
    ids = [run.run_id for run in ours.runs("cells")]
    assert ours.history(ids, ["accuracy", "none"]) == theirs.history(ids, ["accuracy", "none"])
    (sweep,) = ours.runs("sweeps")
    for name in ("a note", "spec.json", "report/figures/one.svg", "not there", "report/not there"):
        assert ours.fetch(sweep.run_id, name) == theirs.fetch(sweep.run_id, name)
    assert ours.fetch(sweep.run_id, "a note") == b"text"


def test_a_row_that_is_not_committed_is_not_read(filled: Path) -> None:
    before = reader(filled).runs("sweeps")
    with closing(sqlite3.connect(filled)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("UPDATE runs SET name = 'half written'")
        assert reader(filled).runs("sweeps") == before
        writer.rollback()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    store = reader(tmp_path / "none.db")
    assert store.runs("sweeps") == []
    assert list(store.find("cells", "cell_key", [key_of(1)])) == []
    assert store.folder("cells") is None
    with connect(f"sqlite:///{tmp_path}/none.db", "test", tmp_path / "spool") as ledger:
        ledger.check()
        assert ledger.sweeps() == []
        assert ledger.known_cells(FAMILY) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_experiment_is_named(filled: Path) -> None:
    client = MlflowClient(f"sqlite:///{filled}")
    found = client.get_experiment_by_name("test/cells")
    assert found is not None
    client.delete_experiment(found.experiment_id)
    said = []
    for store in (reader(filled), mlflows(filled)):
        with pytest.raises(DeliveryRefusedError, match="mlflow experiments restore") as refused:
            store.runs("cells")
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_tables_of_tomorrow_are_left_to_mlflow(
    filled: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        "search.tracking.sqlite_store._READ", {"runs": {"run_uuid", "a column of tomorrow"}}
    )
    store = SqliteStore(filled, _NAMES, lambda read_to: mlflows(filled))
    assert len(store.runs("cells")) == len(store.runs("cells")) == 3
    assert caplog.text.count("has no runs.a column of tomorrow") == 1, "said, and said once"
    with pytest.raises(AssertionError, match="MLflow was asked"):
        reader(filled).runs("cells")


def test_what_one_process_writes_the_other_reads_at_once(open_ledger: Opener) -> None:
    writer, other = open_ledger(), open_ledger()
    for number in range(3):
        record(writer, number)
        assert writer.flush(30)
        assert len(other.known_cells(FAMILY)) == number + 1
    assert other.known_cells(FAMILY)[key_of(1)].metrics["accuracy"] == result(1).metrics["accuracy"]


def test_reading_imports_no_mlflow(filled: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom search.tracking.open import connect\n"
        "with connect(f'sqlite:///{sys.argv[1]}', 'test', Path(sys.argv[2])) as one:\n"
        "    one.check()\n"
        f"    assert len(one.known_cells({FAMILY!r})) == 3\n"
        f"    one.predictions({key_of(1)!r})\n"
        "    print(one.find_sweep('mine').name)\n"
        "print(*[name for name in ('mlflow', 'sqlalchemy', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(filled), str(filled.parent / "spool")],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["mine"]
