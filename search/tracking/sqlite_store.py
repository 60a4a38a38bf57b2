"""The ledger in a local sqlite file: read here, written by MLflow.

To import MLflow takes seconds, to read its tables takes none: commands that only look never import
it, and never make a file. Answers are those of MLflow's client
(tests/integration/ledger/test_sqlite_store.py asks both). Where the tables lack a column that is
read here, MLflow is asked, and a line says so.
"""

from __future__ import annotations

import logging
import math
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from search.errors import DeliveryRefusedError
from search.ledger.records import LoggedRun
from search.ledger.store import DataDescription, Kind, NewRun, RunNews, Scan, Store, Wanted
from search.tracking import sqlite_scan

_log = logging.getLogger("foldrace.ledger")

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
        file: Path of the database, which need not be there yet.
        names: Names of the three experiments.
        make_writer: Maker of the store that writes, called at the first need with a function that
            gives the last row of the table of runs at the first reading of a kind.
    """

    def __init__(
        self,
        file: Path,
        names: Mapping[Kind, str],
        make_writer: Callable[[Callable[[Kind], int]], Store],
    ) -> None:
        self._file = file
        self._names = names
        self._make_writer = make_writer
        self._made: Store | None = None
        self._known: bool | None = None
        self._read_to: dict[Kind, int] = {}  # last row of the runs at the first reading
        self.writer = secrets.token_hex(8)

    @property
    def _writer(self) -> Store:
        if self._made is None:
            self._made = self._make_writer(lambda kind: self._read_to.get(kind, 0))
        return self._made

    def ping(self) -> None:
        """Read the tables' columns, if there is a file."""
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
            self._note_last(tables, kind)
            return [] if experiment is None else _runs(tables, experiment, tag, value)

    def scan(
        self, kind: Kind, tag: str, value: str, wanted: Wanted, once: str | None = None
    ) -> Scan:
        """Runs whose tag has this value, with the values wanted."""
        if not self._there():
            return Scan(frozenset(), iter(()))
        if not self._ours():
            return self._writer.scan(kind, tag, value, wanted, once)
        with self._reading() as tables:
            self._note_last(tables, kind)
            several = frozenset() if once is None else sqlite_scan.several(tables, once)
        return Scan(several, self._scanned(kind, (tag, value), wanted))

    def _scanned(self, kind: Kind, of: tuple[str, str], wanted: Wanted) -> Iterator[LoggedRun]:
        """Read page by page: between two of them others may write."""
        after: str | None = ""
        while after is not None:
            with self._reading() as tables:
                experiment = self._experiment(tables, kind)
                if experiment is None:
                    return
                runs, after = sqlite_scan.page(tables, experiment, of, wanted, after)
            yield from runs

    def _note_last(self, tables: sqlite3.Connection, kind: Kind) -> None:
        last = tables.execute("SELECT max(rowid) FROM runs").fetchone()[0] or 0
        self._read_to.setdefault(kind, int(last))

    def find(self, kind: Kind, tag: str, values: Sequence[str]) -> Iterator[LoggedRun]:
        """Active runs whose tag has one of these values.

        They have their id, status and this one tag.
        """
        if not self._there():
            return
        if not self._ours():
            yield from self._writer.find(kind, tag, values)
            return
        with self._reading() as tables:
            experiment = self._experiment(tables, kind)
            runs = [] if experiment is None else list(_find(tables, experiment, tag, values))
        yield from runs

    def fetch(self, run_id: str, name: str) -> bytes | None:
        """Content of a run's file; None if it has no such file."""
        if not self._there() or not self._ours():
            return self._writer.fetch(run_id, name)
        with self._reading() as tables:
            row = tables.execute(
                "SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)
            ).fetchone()
        folder = None if row is None else local_path(str(row[0]))
        if folder is None:  # no such run, or a bucket: MLflow's own words
            return self._writer.fetch(run_id, name)
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    def history(
        self, run_ids: Sequence[str], names: Sequence[str]
    ) -> list[dict[str, list[tuple[int, float]]]]:
        """(step, value) points of these metrics for each run, by step."""
        if not self._there() or not self._ours():
            return self._writer.history(run_ids, names)
        with self._reading() as tables:
            return [{name: _points(tables, run_id, name) for name in names} for run_id in run_ids]

    def folder(self, kind: Kind) -> Path | None:
        """Local folder of the runs' files; None if they are elsewhere."""
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
            number = self._experiment(tables, kind)
        return None if number is None else str(number)

    def add(
        self, kind: Kind, runs: Sequence[NewRun], once: str | None = None, shared: bool = False
    ) -> list[str]:
        """Create runs, each set to its status last; returns their ids."""
        return self._writer.add(kind, runs, once, shared)

    def extend(self, news: Sequence[RunNews]) -> None:
        """Add values to existing runs."""
        self._writer.extend(news)

    def keep_view(self, kind: Kind, name: str, view: Mapping[str, Any]) -> None:
        """Keep a view of an experiment's runs, by name."""
        self._writer.keep_view(kind, name, view)

    def untag(self, run_id: str, names: Sequence[str]) -> None:
        """Remove tags of a run, as far as it has them."""
        self._writer.untag(run_id, names)

    def attach(self, run_id: str, files: Mapping[str, bytes]) -> None:
        """Keep files with a run, by their paths among its artifacts."""
        self._writer.attach(run_id, files)

    def name_data(self, run_id: str, data: DataDescription) -> None:
        """Log a data set as the input of a run."""
        self._writer.name_data(run_id, data)

    def reopen(self, run_id: str) -> None:
        """Set a run RUNNING again."""
        self._writer.reopen(run_id)

    def end(self, run_ids: Sequence[str], status: str, ended_ms: int) -> None:
        """End runs with MLflow's word for it."""
        self._writer.end(run_ids, status, ended_ms)

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs; MLflow keeps them until its garbage collection."""
        self._writer.delete(run_ids)

    def _there(self) -> bool:
        """Return True for a database.

        Sqlite takes an empty file as a new one.
        """
        return self._file.is_file() and self._file.stat().st_size > 0

    def _ours(self) -> bool:
        """Return True where the tables have all columns read here."""
        if self._known is None:
            with self._reading() as tables:
                missing = [
                    f"{table}.{column}"
                    for table, columns in _READ.items()
                    for column in sorted(columns - _columns(tables, table))
                ]
            self._known = not missing
            if missing:
                _log.warning(
                    "%s has no %s, which MLflow 3.17 has: it is read by MLflow itself, which is "
                    "right but slower.",
                    self._file,
                    ", ".join(missing),
                )
        return self._known

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Open the tables for reading, all at one moment.

        Never makes a file; a killed writer's journal is rolled back.

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
        """Id of an experiment; None if there is none yet."""
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
        if "workspace" in _columns(tables, "experiments"):
            query += " AND workspace = 'default'"
        row: tuple[Any, ...] | None = tables.execute(query, (self._names[kind],)).fetchone()
        return row


def _columns(tables: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in tables.execute(f"PRAGMA table_info({table})")}


def deleted(name: str, number: str | int) -> str:
    """Message for an experiment that was deleted in MLflow."""
    return (
        f"Experiment {name!r} was deleted in MLflow. Choose another --experiment "
        f"or restore it: mlflow experiments restore -x {number}"
    )


def local_path(location: str) -> Path | None:
    """Path of artifacts, if that is on this machine."""
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(location) if not parts.scheme else None


def _runs(
    tables: sqlite3.Connection, experiment: int, tag: str | None, value: str
) -> list[LoggedRun]:
    selection = f"SELECT runs.run_uuid FROM runs WHERE {_ACTIVE}"
    values: list[int | str] = [experiment]
    if tag is not None:
        selection = (
            "SELECT runs.run_uuid FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid "
            f"WHERE {_ACTIVE} AND tags.key = ? AND tags.value = ?"
        )
        values += [tag, value]
    rows = tables.execute(
        "SELECT run_uuid, name, status, start_time, end_time FROM runs "
        f"WHERE run_uuid IN ({selection}) ORDER BY start_time DESC, run_uuid",
        values,
    ).fetchall()
    tags, params, metrics = (
        _by_run(
            tables.execute(f"SELECT {columns} FROM {table} WHERE run_uuid IN ({selection})", values)
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
    """Values by run and name.

    The same few names and texts come back for each run: one copy of each is kept.
    """
    by_run: dict[str, dict[str, Any]] = {}
    copies: dict[Any, Any] = {}
    for run_id, key, value, *is_nan in rows:
        plain = math.nan if is_nan and is_nan[0] else copies.setdefault(value, value)
        by_run.setdefault(run_id, {})[sys.intern(key)] = plain
    return by_run


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
