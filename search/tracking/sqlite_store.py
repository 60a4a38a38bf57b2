"""The ledger in a local sqlite file: read here, written by MLflow.

To import MLflow takes seconds, to read its tables takes none: commands that only look never import
it, and never make a file. What is read is what MLflow's client gives for the same question
(tests/integration/ledger/test_sqlite_store.py asks both). Where the tables lack a column that is
read here, MLflow is asked.
"""

from __future__ import annotations

import math
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from search.errors import DeliveryRefusedError
from search.ledger.records import LoggedRun
from search.ledger.store import DataDescription, Kind, NewRun, RunNews, Store

_READ = {
    "experiments": {"experiment_id", "name", "lifecycle_stage", "artifact_location"},
    "runs": {
        *("run_uuid", "name", "status", "start_time", "end_time"),
        *("lifecycle_stage", "artifact_uri", "experiment_id"),
    },
    "tags": {"run_uuid", "key", "value"},
    "params": {"run_uuid", "key", "value"},
    "latest_metrics": {"run_uuid", "key", "value", "is_nan"},
    "metrics": {"run_uuid", "key", "value", "is_nan", "step"},
}
_WAIT_S = 30.0  # for another process that writes
_ASKED_AT_ONCE = 500  # values in one condition
_ACTIVE = "runs.experiment_id = ? AND runs.lifecycle_stage = 'active'"


class SqliteStore:
    """MLflow's tables in a sqlite file; a `search.ledger.store.Store`.

    Args:
        file: The database, which need not be there yet.
        names: Of the three experiments.
        make_writer: Gives what writes; called at the first need.
    """

    def __init__(
        self, file: Path, names: Mapping[Kind, str], make_writer: Callable[[], Store]
    ) -> None:
        self._file = file
        self._names = names
        self._make_writer = make_writer
        self._made: Store | None = None
        self._known: bool | None = None

    @property
    def _writer(self) -> Store:
        if self._made is None:
            self._made = self._make_writer()
        return self._made

    def ping(self) -> None:
        """Find out whether the tables can be read; a file that is not there has none to read."""
        if self._there() and not self._ours():
            self._writer.ping()

    def runs(self, kind: Kind, tag: str | None = None, value: str = "") -> list[LoggedRun]:
        """All runs, or those whose tag has this value, newest first."""
        if not self._there():
            return []
        if not self._ours():
            return self._writer.runs(kind, tag, value)
        with self._reading() as tables:
            experiment = self._experiment(tables, kind)
            return [] if experiment is None else _runs(tables, experiment, tag, value)

    def find(self, kind: Kind, tag: str, values: Sequence[str]) -> Iterator[LoggedRun]:
        """Active runs whose tag has one of these values: id, status, and this one tag."""
        if not self._there():
            return
        if not self._ours():
            yield from self._writer.find(kind, tag, values)
            return
        with self._reading() as tables:
            experiment = self._experiment(tables, kind)
            found = [] if experiment is None else list(_find(tables, experiment, tag, values))
        yield from found

    def fetch(self, run_id: str, name: str) -> bytes | None:
        """A file of a run; None if it has no such file."""
        if not self._there() or not self._ours():
            return self._writer.fetch(run_id, name)
        with self._reading() as tables:
            row = tables.execute(
                "SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)
            ).fetchone()
        folder = None if row is None else local_path(str(row[0]))
        if folder is None:  # no such run, which MLflow says in its words; or a bucket
            return self._writer.fetch(run_id, name)
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    def history(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, list[tuple[int, float]]]]:
        """Of each run the (step, value) points of these metrics, by step."""
        if not self._there() or not self._ours():
            return self._writer.history(run_ids, names)
        with self._reading() as tables:
            return [{name: _points(tables, run_id, name) for name in names} for run_id in run_ids]

    def folder(self, kind: Kind) -> Path | None:
        """Where on this machine the runs' files lie; None if on a server or in a bucket."""
        if not self._there():
            return None
        if not self._ours():
            return self._writer.folder(kind)
        with self._reading() as tables:
            row = self._row(tables, kind)
        path = None if row is None else local_path(str(row[2]))
        return path if path is not None and path.is_dir() else None

    def experiment_id(self, kind: Kind) -> str | None:
        """MLflow's number of an experiment; None if there is none yet."""
        if not self._there():
            return None
        if not self._ours():
            return self._writer.experiment_id(kind)
        with self._reading() as tables:
            found = self._experiment(tables, kind)
        return None if found is None else str(found)

    def add(self, kind: Kind, runs: Sequence[NewRun]) -> list[str]:
        """New runs with all they have, each set to its status last; their ids."""
        return self._writer.add(kind, runs)

    def extend(self, news: Sequence[RunNews]) -> None:
        """More values for runs that are there."""
        self._writer.extend(news)

    def attach(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Files of a run."""
        self._writer.attach(run_id, files)

    def name_data(self, run_id: str, data: DataDescription) -> None:
        """Log a data set as the input of a run."""
        self._writer.name_data(run_id, data)

    def reopen(self, run_id: str) -> None:
        """Set a run RUNNING again."""
        self._writer.reopen(run_id)

    def end(self, run_ids: Sequence[str], status: str, ended_ms: int) -> None:
        """The end of runs, with MLflow's word for it."""
        self._writer.end(run_ids, status, ended_ms)

    def delete(self, run_id: str) -> None:
        """Take a run out of sight; MLflow keeps it until its garbage collection."""
        self._writer.delete(run_id)

    def _there(self) -> bool:
        """Whether there is a database: sqlite takes an empty file as a new one."""
        return self._file.is_file() and self._file.stat().st_size > 0

    def _ours(self) -> bool:
        """Whether the tables have all columns that are read here."""
        if self._known is None:
            with self._reading() as tables:
                self._known = all(
                    columns <= {row[1] for row in tables.execute(f"PRAGMA table_info({table})")}
                    for table, columns in _READ.items()
                )
        return self._known

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The tables at one moment. Never makes a file; a killed writer's journal is rolled back.

        Raises:
            ConnectionError: if the file cannot be read.
        """
        place = f"file:{quote(str(self._file))}?mode=rw"
        try:
            with closing(sqlite3.connect(place, uri=True, timeout=_WAIT_S)) as tables:
                tables.execute("PRAGMA query_only = ON")
                tables.execute("BEGIN")
                yield tables
        except sqlite3.Error as error:
            raise ConnectionError(f"{self._file}: {error}") from error

    def _experiment(self, tables: sqlite3.Connection, kind: Kind) -> int | None:
        """The id of an experiment; None if there is none yet."""
        row = self._row(tables, kind)
        if row is None:
            return None
        number, stage, _ = row
        if stage != "active":
            raise DeliveryRefusedError(deleted(self._names[kind], number))
        return int(number)

    def _row(self, tables: sqlite3.Connection, kind: Kind) -> tuple[Any, ...] | None:
        # Databases of MLflow 3.10 and later have workspaces; without a server there is one.
        query = (
            "SELECT experiment_id, lifecycle_stage, artifact_location FROM experiments "
            "WHERE name = ?"
        )
        columns = {row[1] for row in tables.execute("PRAGMA table_info(experiments)")}
        if "workspace" in columns:
            query += " AND workspace = 'default'"
        row: tuple[Any, ...] | None = tables.execute(query, (self._names[kind],)).fetchone()
        return row


def deleted(name: str, number: str | int) -> str:
    """The message for an experiment that was deleted in MLflow."""
    return (
        f"Experiment {name!r} was deleted in MLflow. Choose another --experiment "
        f"or restore it: mlflow experiments restore -x {number}"
    )


def local_path(location: str) -> Path | None:
    """Where artifacts lie, if that is on this machine."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(location) if not parts.scheme else None


def _runs(
    tables: sqlite3.Connection, experiment: int, tag: str | None, value: str
) -> list[LoggedRun]:
    wanted = f"SELECT runs.run_uuid FROM runs WHERE {_ACTIVE}"
    given: list[int | str] = [experiment]
    if tag is not None:
        wanted = (
            "SELECT runs.run_uuid FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid "
            f"WHERE {_ACTIVE} AND tags.key = ? AND tags.value = ?"
        )
        given += [tag, value]
    rows = tables.execute(
        "SELECT run_uuid, name, status, start_time, end_time FROM runs "
        f"WHERE run_uuid IN ({wanted}) ORDER BY start_time DESC, run_uuid",
        given,
    ).fetchall()
    tags, params, metrics = (
        _by_run(
            tables.execute(f"SELECT {columns} FROM {table} WHERE run_uuid IN ({wanted})", given)
        )
        for table, columns in (
            ("tags", "run_uuid, key, value"),
            ("params", "run_uuid, key, value"),
            ("latest_metrics", "run_uuid, key, value, is_nan"),
        )
    )
    return [
        LoggedRun(
            run_id=run_id,
            name=name,
            status=status,
            started_ms=start or 0,
            ended_ms=end or 0,
            tags=tags.get(run_id, {}),
            params=params.get(run_id, {}),
            metrics=metrics.get(run_id, {}),
        )
        for run_id, name, status, start, end in rows
    ]


def _by_run(rows: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Values by name by run; the same few names and texts come back for each run: one of each."""
    found: dict[str, dict[str, Any]] = {}
    kept: dict[Any, Any] = {}
    for run_id, key, value, *is_nan in rows:
        plain = math.nan if is_nan and is_nan[0] else kept.setdefault(value, value)
        found.setdefault(run_id, {})[sys.intern(key)] = plain
    return found


def _find(
    tables: sqlite3.Connection, experiment: int, tag: str, values: Sequence[str]
) -> Iterator[LoggedRun]:
    for start in range(0, len(values), _ASKED_AT_ONCE):
        few = values[start : start + _ASKED_AT_ONCE]
        marks = ", ".join("?" * len(few))
        rows = tables.execute(
            "SELECT runs.run_uuid, runs.status, tags.value FROM runs "
            "JOIN tags ON tags.run_uuid = runs.run_uuid "
            f"WHERE {_ACTIVE} AND tags.key = ? AND tags.value IN ({marks})",
            (experiment, tag, *few),
        )
        for run_id, status, value in rows:
            yield LoggedRun(
                run_id=run_id,
                name="",
                status=status,
                started_ms=0,
                ended_ms=0,
                tags={tag: value},
                params={},
                metrics={},
            )


def _points(tables: sqlite3.Connection, run_id: str, name: str) -> list[tuple[int, float]]:
    rows = tables.execute(
        "SELECT step, value, is_nan FROM metrics WHERE run_uuid = ? AND key = ?", (run_id, name)
    )
    return sorted((step, math.nan if is_nan else value) for step, value, is_nan in rows)
