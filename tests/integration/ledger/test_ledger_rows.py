"""Runs written as rows and by MLflow's own client are equal to the last column."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.entities import Feedback, TraceInfo, TraceLocation, TraceState
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracing.constant import AssessmentMetadataKey

from search.errors import DeliveryRefusedError
from search.ledger.store import WRITER, Kind, NewRun, Point, RunNews
from search.tracking import client, sqlite_rows
from search.tracking.client import MlflowStore
from tests.integration.ledger_cells import FAMILY, Opener, finished_keys, key_of, record

pytestmark = pytest.mark.integration

_NAMES: Mapping[Kind, str] = {"configs": "a", "cells": "a/cells", "sweeps": "a/sweeps"}
_POINTS: list[Point] = [
    ("loss", 0.5, 1_000, 1),
    ("loss", 0.25, 2_000, 2),
    ("loss", 0.125, 1_500, 2),
    ("up", math.inf, 1_000, 1),
    ("down", -math.inf, 1_000, 1),
    ("none", math.nan, 1_000, 1),
    ("none", math.nan, 1_000, 1),
    ("twice", 1.0, 1_000, 1),
    ("twice", 1.0, 1_000, 1),
    ("tie", 1.0, 1_000, 1),
    ("tie", 2.0, 1_000, 1),
]


def runs() -> list[NewRun]:
    whole = NewRun(
        name="a run's näme",
        tags={"cell_key": "k", "empty": ""},
        params={"gamma": "0.1", "pooling": "cls"},
        points=_POINTS,
        status="FINISHED",
        started_ms=1_000,
        ended_ms=3_000,
        files={"predictions.npz": b"bytes"},
    )
    bare = NewRun(name="bare", tags={}, params={}, points=(), status="RUNNING", started_ms=5)
    return [whole, bare]


def write(store: MlflowStore) -> list[str]:
    """Everything that is ever written of a run, in every order that the ledger uses."""
    run_ids = store.add("cells", runs())
    later = [("loss", 0.75, 900, 3), ("loss", 0.1, 9_000, 1), ("late", 1.0, 1, 1), _POINTS[0]]
    store.extend(
        [
            RunNews(run_id=run_ids[0], points=later, params={"gamma": "0.1", "k": "1"}),
            RunNews(run_id=run_ids[1], tags={"cell_key": "new"}),
            RunNews(run_id=run_ids[1], tags={"cell_key": "newer"}, points=_POINTS),
        ]
    )
    store.end(run_ids[1:], "KILLED", 7_000)
    more = store.add("cells", runs())
    store.delete(more)
    return [*run_ids, *more]


def rows_of(database: Path, run_ids: list[str], folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables, sorted, with the run ids and folder as words and no clock times."""
    words = {run_id: f"run {number}" for number, run_id in enumerate(run_ids)}

    def plain(name: str, value: Any) -> Any:
        if name in ("creation_time", "last_update_time", "deleted_time"):
            return type(value).__name__
        text = str(value)
        for run_id, word in words.items():
            text = text.replace(run_id, word)
        return (type(value).__name__, text.replace(str(folder), "folder"))

    found = {}
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        for (table,) in connection.execute(query).fetchall():
            cursor = connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            found[table] = sorted(
                tuple(plain(*pair) for pair in zip(names, row, strict=True)) for row in cursor
            )
    return found


def store_in(folder: Path, empty_database: bytes) -> MlflowStore:
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_database)
    return MlflowStore(f"sqlite:///{folder}/mlflow.db", _NAMES, folder / "mlartifacts")


def test_rows_are_those_of_mlflows_own_client(
    tmp_path: Path, empty_database: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_rows = store_in(tmp_path / "rows", empty_database)
    ours = write(by_rows)
    assert by_rows._opened is not None, "the rows are written here, not by the client"
    monkeypatch.setattr(client, "open_rows", lambda uri, artifacts: None)
    by_client = store_in(tmp_path / "client", empty_database)
    theirs = write(by_client)
    got = rows_of(tmp_path / "rows/mlflow.db", ours, tmp_path / "rows")
    want = rows_of(tmp_path / "client/mlflow.db", theirs, tmp_path / "client")
    assert len(want["metrics"]) > 10, "the comparison compares something"
    # A run that takes several requests names its writer, one of a single transaction need not.
    want["tags"] = [row for row in want["tags"] if ("str", WRITER) not in row]
    assert {"experiments", "runs", "tags", "params", "metrics", "latest_metrics"} <= set(want)
    for table in want:
        assert got[table] == want[table], table
    for store, run_ids in ((by_rows, ours), (by_client, theirs)):
        assert store.fetch(run_ids[0], "predictions.npz") == b"bytes"
        assert store.fetch(run_ids[1], "predictions.npz") is None
        found = {run.run_id: run.status for run in store.find("cells", "cell_key", ["k", "newer"])}
        assert found == dict(zip(run_ids[:2], ("FINISHED", "KILLED"), strict=True))


def test_rows_of_a_batch_lie_together_and_its_look_up_reads_new_runs_alone(
    tmp_path: Path, empty_database: bytes
) -> None:
    store = store_in(tmp_path / "rows", empty_database)
    ids = []
    for number in range(3):
        new = [replace(runs()[0], tags={"cell_key": f"{number}"})]
        ids += store.add("cells", new, once="cell_key")
        time.sleep(0.002)
    assert ids == sorted(ids), "a database sorts runs by their ids: random ones lie all over it"
    with closing(sqlite3.connect(tmp_path / "rows/mlflow.db")) as database:
        values = {"row": 1, "number": 1, "once": "cell_key"}
        plan = database.execute(
            f"EXPLAIN QUERY PLAN {sqlite_rows._FINISHED_SINCE.text}", values
        ).fetchall()
    assert [words.split(" USING ")[0] for *_, words in plan] == ["SEARCH runs", "SEARCH tags"]
    assert "rowid>?" in plan[0][-1]


def _other_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**sqlite_rows._KNOWN, sqlite_rows._RUNS: {"run_uuid", "a column of tomorrow"}}
    monkeypatch.setattr(sqlite_rows, "_KNOWN", known)


def _another_table_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_rows, "_OF_RUNS", sqlite_rows._OF_RUNS - {"params"})


def _another_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_rows, "SqlAlchemyStore", lambda uri, artifacts: SimpleNamespace())


@pytest.mark.parametrize(
    ("tomorrow", "said"),
    [
        (_other_columns, "other columns in the table runs"),
        (_another_table_of_a_run, r"further tables of a run \(params\)"),
        (_another_store, "another store"),
    ],
)
def test_other_tables_than_those_of_this_release_are_left_to_the_client(
    monkeypatch: pytest.MonkeyPatch,
    open_ledger: Opener,
    ledger_uri: str,
    caplog: pytest.LogCaptureFixture,
    tomorrow: Callable[[pytest.MonkeyPatch], None],
    said: str,
) -> None:
    tomorrow(monkeypatch)
    ledger = open_ledger()
    record(ledger, 1)
    record(ledger, 2)
    assert ledger.flush(30)
    assert finished_keys(ledger_uri) == {key_of(1): 1, key_of(2): 1}
    assert set(open_ledger().known_cells(FAMILY)) == {key_of(1), key_of(2)}
    assert len(re.findall(said, caplog.text)) == 1, "said, and said once"


def test_runs_are_deleted_all_or_none(tmp_path: Path, empty_database: bytes) -> None:
    store = store_in(tmp_path / "rows", empty_database)
    run_ids = store.add("cells", runs())
    with pytest.raises(DeliveryRefusedError, match="Of 2 runs to delete, 1 are there"):
        store.delete([run_ids[0], "no such run"])
    assert len(store.runs("cells")) == 2
    store.delete([*run_ids, run_ids[0]])
    assert store.runs("cells") == []


def test_assessments_of_a_run_go_with_it(tmp_path: Path, empty_database: bytes) -> None:
    store = store_in(tmp_path / "rows", empty_database)
    (run_id, other) = store.add("cells", runs())
    experiment = store.experiment_id("cells")
    assert experiment is not None
    own = SqlAlchemyStore(f"sqlite:///{tmp_path}/rows/mlflow.db", str(tmp_path))
    own.start_trace(
        TraceInfo(
            trace_id="t",
            trace_location=TraceLocation.from_experiment_id(experiment),
            request_time=1,
            state=TraceState.OK,
        )
    )
    for source in (run_id, other):
        metadata = {AssessmentMetadataKey.SOURCE_RUN_ID: source}
        own.create_assessment(Feedback(name="x", value=1.0, trace_id="t", metadata=metadata))
    store.delete([run_id])
    (left,) = own.get_trace_info("t").assessments
    assert left.metadata == {AssessmentMetadataKey.SOURCE_RUN_ID: other}
    assert [run.run_id for run in store.runs("cells")] == [other]


def test_a_batch_is_there_as_a_whole_or_not_at_all(tmp_path: Path, empty_database: bytes) -> None:
    store = store_in(tmp_path / "rows", empty_database)
    good, bad = runs()
    bad = NewRun(**{**vars(bad), "params": {"not a text": None}})
    with pytest.raises(Exception, match="NOT NULL"):
        store.add("cells", [good, bad])
    assert list(store.runs("cells")) == []
