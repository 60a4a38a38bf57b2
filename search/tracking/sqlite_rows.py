"""Many runs in one transaction of MLflow's own tables.

For a ledger in a local sqlite file.

MLflow's client commits seven times for one run, and each commit waits for the disk: without this
file a sweep loses 40-120 ms a cell. Here a batch of runs is one commit, so that a run is there with
all it has or not at all. The rows are those that MLflow's store writes for the same calls, to the
last column (tests/integration/ledger/test_ledger_rows.py compares them); where the tables are not
those of 3.17, `open_rows` says so, gives None, and the client is used. `make guard` asks the newest
MLflow.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import sqlalchemy as sa
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.tracking.dbmodels import models
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.time import get_current_time_millis
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from search.ledger.store import NewRun, Point, RunNews

_log = logging.getLogger("foldrace.ledger")

_RUNS = models.SqlRun.__table__
_TAGS = models.SqlTag.__table__
_PARAMS = models.SqlParam.__table__
_METRICS = models.SqlMetric.__table__
_LATEST = models.SqlLatestMetric.__table__
_ASSESSMENTS = getattr(models, "SqlAssessments", None)
_POINT = {"key", "value", "timestamp", "step", "is_nan", "run_uuid"}
_NAMED = {"key", "value", "run_uuid"}
_OF_RUN = (
    "run_uuid name source_type source_name entry_point_name user_id status start_time end_time"
)
_OF_RUN += " deleted_time source_version lifecycle_stage artifact_uri experiment_id"
_KNOWN = {
    _RUNS: set(_OF_RUN.split()),
    _TAGS: _NAMED,
    _PARAMS: _NAMED,
    _METRICS: _POINT,
    _LATEST: _POINT,
}
# Tables that refer to a run. A further one could hold a part of each run that is not written here.
_OF_RUNS = {"tags", "params", "metrics", "latest_metrics", "issues", "logged_model_metrics"}
# A cross join is read in this order: sqlite else begins with all tags of this name, and each batch
# of a sweep takes longer than the one before.
_FINISHED_SINCE = sa.text(
    "SELECT tags.value, tags.run_uuid FROM runs CROSS JOIN tags ON tags.run_uuid = runs.run_uuid "
    "WHERE runs.rowid > :row AND runs.experiment_id = :number AND runs.status = 'FINISHED' "
    "AND runs.lifecycle_stage = 'active' AND tags.key = :once"
)
_ASKED_AT_ONCE = 500  # values in one condition
_WRITERS = 8


def open_rows(uri: str, artifacts: Path) -> Rows | None:
    """Open the tables of a sqlite file; None if unknown here.

    Raises:
        MlflowException: if the file is no database, or of another release of MLflow.
    """
    store = SqlAlchemyStore(uri, artifacts.as_uri())
    difference = _difference() or _refusal(store)
    if difference is not None:
        _log.warning(
            "MLflow %s has %s: runs are written by its client, which is right but slower, some "
            "40-120 ms a cell. The tables of MLflow 3.17 are known.",
            mlflow.__version__,
            difference,
        )
        return None
    return Rows(store)


def _difference() -> str | None:
    """Say what of MLflow's tables is unknown here, if anything."""
    for table, known in _KNOWN.items():
        if other := set(table.columns.keys()) ^ known:
            return f"other columns in the table {table.name} ({', '.join(sorted(other))})"
    tables = _RUNS.metadata.tables.items()
    of_runs = {name for name, table in tables if any(map(_of_run, table.foreign_keys))}
    if new := of_runs - _OF_RUNS:
        return f"further tables of a run ({', '.join(sorted(new))})"
    return None


def _of_run(key: sa.ForeignKey) -> bool:
    return key.target_fullname == "runs.run_uuid"


def _refusal(store: SqlAlchemyStore) -> str | None:
    """Try the two calls of its store that MLflow does not document."""
    try:
        with store.ManagedSessionMaker(read_only=False) as session:
            _last_row(session)
        store.sanitize_metric_value(0.0)
    except (AttributeError, TypeError) as error:
        return f"another store ({error})"
    return None


def local_folder(experiment: Experiment) -> Path | None:
    """Folder of an experiment's files, if that is on this machine."""
    location = experiment.artifact_location
    return Path(local_file_uri_to_path(location)) if location.startswith("file:") else None


class Rows:
    """Runs as rows of one database's tables."""

    def __init__(self, store: SqlAlchemyStore) -> None:
        self._store = store
        self._looked: dict[int, int] = {}  # experiment -> last row of the runs that were looked at
        self._others: dict[tuple[int, str], dict[str, str]] = {}  # tag's value -> finished run

    def add(
        self,
        experiment: Experiment,
        folder: Path,
        runs: Sequence[NewRun],
        once: str | None = None,
        since: int = 0,
    ) -> list[str]:
        """Create runs and return their ids.

        Their files come first, then everything else at once.

        Args:
            experiment: Experiment of the runs.
            folder: Folder of its files.
            runs: The runs.
            once: Name of a tag whose value only one finished run has; another process' run of that
                value is returned in place of a new one. It is looked for in the transaction that
                writes.
            since: Last row of the table of runs that the caller has read.
        """
        run_ids = [_new_id() for _ in runs]
        number = int(experiment.experiment_id)
        of_run, tags, params, metrics, latest = [], [], [], [], []
        location = experiment.artifact_location.rstrip("/")
        _write_all(
            {folder / id_ / "artifacts": run for id_, run in zip(run_ids, runs, strict=True)}
        )
        for run_id, run in zip(run_ids, runs, strict=True):
            of_run.append(_run_row(run_id, run, experiment.experiment_id, location))
            tags += _named(run_id, {**run.tags, "mlflow.runName": run.name})
            params += _named(run_id, run.params)
            points = self._points(run_id, run.points)
            metrics += points
            latest += _latest(points)
        others: dict[str, str] = {}
        with self._store.ManagedSessionMaker(read_only=False) as session:
            if once is not None:
                # From here on no other process writes.
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
                values = {run.tags[once]: id_ for id_, run in zip(run_ids, runs, strict=True)}
                finished = self._finished_since(session, number, once, since)
                others = {values[value]: finished[value] for value in values.keys() & finished}
            for table, rows in (
                (_RUNS, of_run),
                (_TAGS, tags),
                (_PARAMS, params),
                (_METRICS, metrics),
                (_LATEST, latest),
            ):
                if new := [row for row in rows if row["run_uuid"] not in others]:
                    session.execute(table.insert(), new)
            last = _last_row(session)
        if once is not None:
            self._looked[number] = last  # not before the commit: row numbers come again
        for run_id in others:
            shutil.rmtree(folder / run_id, ignore_errors=True)
        return [others.get(run_id, run_id) for run_id in run_ids]

    def _finished_since(
        self, session: Session, experiment: int, once: str, since: int
    ) -> dict[str, str]:
        """Finished runs of other processes, by the value of a tag."""
        finished = self._others.setdefault((experiment, once), {})
        row = self._looked.get(experiment, since)
        new = session.execute(_FINISHED_SINCE, {"row": row, "number": experiment, "once": once})
        for value, run_id in new:
            finished.setdefault(value, run_id)
        return finished

    def extend(self, news: Sequence[RunNews]) -> None:
        """Add values to existing runs.

        Points and params that a run has already stay as they are.
        """
        metrics = [row for item in news for row in self._points(item.run_id, item.points)]
        params = [row for item in news for row in _named(item.run_id, item.params)]
        tags = [row for item in news for row in _named(item.run_id, item.tags)]
        with self._store.ManagedSessionMaker(read_only=False) as session:
            for table, rows in ((_METRICS, metrics), (_PARAMS, params)):
                if rows:
                    session.execute(sqlite.insert(table).on_conflict_do_nothing(), rows)
            latest = [
                row for item in news for row in _latest(self._points(item.run_id, item.points))
            ]
            if latest:
                session.execute(_replacing_older(), latest)
            if tags:
                insert = sqlite.insert(_TAGS)
                session.execute(
                    insert.on_conflict_do_update(
                        index_elements=["key", "run_uuid"], set_={"value": insert.excluded.value}
                    ),
                    tags,
                )

    def untag(self, run_id: str, names: Sequence[str]) -> None:
        """Remove tags of a run."""
        with self._store.ManagedSessionMaker(read_only=False) as session:
            session.execute(
                _TAGS.delete().where(_TAGS.c.run_uuid == run_id, _TAGS.c.key.in_(names))
            )

    def end(self, run_ids: Sequence[str], status: str, ended_ms: int) -> None:
        """Set the status of runs."""
        with self._store.ManagedSessionMaker(read_only=False) as session:
            for few in _in_pieces(run_ids):
                session.execute(
                    _RUNS.update()
                    .where(_RUNS.c.run_uuid.in_(few))
                    .values(status=status, end_time=ended_ms)
                )

    def delete(self, run_ids: Sequence[str]) -> bool:
        """Mark runs as deleted, as MLflow's own call does.

        Returns:
            False where something is left to MLflow: it looks for assessments that a run made.

        Raises:
            MlflowException: if there is no run of one of these ids; then none is deleted.
        """
        with self._store.ManagedSessionMaker(read_only=False) as session:
            # A run's own go with it, which is MLflow's work; a ledger has none.
            if _ASSESSMENTS is None or session.query(_ASSESSMENTS).limit(1).count():
                return False
            for few in _in_pieces(list(dict.fromkeys(run_ids))):
                marked = session.execute(
                    _RUNS.update()
                    .where(_RUNS.c.run_uuid.in_(few))
                    .values(lifecycle_stage="deleted", deleted_time=get_current_time_millis())
                )
                if marked.rowcount < len(few):
                    raise MlflowException(
                        f"Of {len(few)} runs to delete, {marked.rowcount} are there",
                        RESOURCE_DOES_NOT_EXIST,
                    )
        return True

    def _points(self, run_id: str, points: Iterable[Point]) -> list[dict[str, Any]]:
        rows = {}
        for name, value, stamp, step in points:
            is_nan, stored = self._store.sanitize_metric_value(value)
            rows[name, stamp, step, stored, is_nan] = {
                "key": name,
                "value": stored,
                "timestamp": stamp,
                "step": step,
                "is_nan": is_nan,
                "run_uuid": run_id,
            }
        return list(rows.values())


def _last_row(session: Session) -> int:
    return int(session.execute(sa.text("SELECT max(rowid) FROM runs")).scalar() or 0)


def _new_id() -> str:
    """Id of a run: 32 hexadecimal digits that begin with the time.

    All tables are sorted by it. Random ones (MLflow's) put each row of a run on a page of its own
    somewhere in the file, which is read, kept in the journal and written for it.
    """
    return f"{get_current_time_millis():012x}{secrets.token_hex(10)}"


def _write_all(folders: Mapping[Path, NewRun]) -> None:
    """Write the files of runs, several at once.

    Each waits for the disk.
    """
    with ThreadPoolExecutor(_WRITERS, thread_name_prefix="files") as threads:
        for _ in threads.map(_write, folders, folders.values()):
            pass


def _write(folder: Path, run: NewRun) -> None:
    for name, data in run.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the commit: a finished run has its files


def _run_row(run_id: str, run: NewRun, experiment_id: str, location: str) -> dict[str, Any]:
    return {
        "run_uuid": run_id,
        "name": run.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "unknown",
        "status": run.status,
        "start_time": run.started_ms,
        "end_time": run.ended_ms,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": f"{location}/{run_id}/artifacts",
        "experiment_id": int(experiment_id),
    }


def _named(run_id: str, values: Any) -> list[dict[str, str]]:
    return [{"key": key, "value": value, "run_uuid": run_id} for key, value in values.items()]


def _age(row: dict[str, Any]) -> tuple[int, int, float]:
    return row["step"], row["timestamp"], row["value"]


def _latest(points: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Point of each metric that MLflow shows.

    It is of the last step, then of the last moment.
    """
    latest: dict[str, dict[str, Any]] = {}
    for row in points:
        if row["key"] not in latest or _age(row) > _age(latest[row["key"]]):
            latest[row["key"]] = row
    return list(latest.values())


def _replacing_older() -> sa.sql.dml.Insert:
    insert = sqlite.insert(_LATEST)
    fresh = insert.excluded
    columns = ("step", "timestamp", "value")
    return insert.on_conflict_do_update(
        index_elements=["key", "run_uuid"],
        set_={name: fresh[name] for name in (*columns, "is_nan")},
        where=sa.tuple_(*(fresh[name] for name in columns))
        > sa.tuple_(*(_LATEST.c[name] for name in columns)),
    )


def _in_pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _ASKED_AT_ONCE):
        yield values[start : start + _ASKED_AT_ONCE]
