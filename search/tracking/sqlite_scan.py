"""Many runs of MLflow's tables in pages, a row a run."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from search.ledger.records import LoggedRun
from search.ledger.store import Wanted

_PAGE = 20_000


def several(tables: sqlite3.Connection, tag: str) -> frozenset[str]:
    """Values of a tag that more than one run has."""
    rows = tables.execute(
        "SELECT value FROM tags WHERE key = ? GROUP BY value HAVING count(*) > 1", (tag,)
    )
    return frozenset(str(row[0]) for row in rows)


def page(
    tables: sqlite3.Connection, experiment: int, of: tuple[str, str], wanted: Wanted, after: str
) -> tuple[Iterator[LoggedRun], str | None]:
    """Active runs in the order of their ids.

    With them comes the last id, where there may be more.

    Args:
        tables: Connection to the database.
        experiment: Number of the experiment.
        of: Name and value of a tag that all have.
        wanted: Values to read.
        after: Id of the run before the first.
    """
    columns, joins, values = ["runs.run_uuid, runs.status, runs.start_time, runs.end_time"], [], []
    for table, names in (
        ("tags", wanted.tags),
        ("params", wanted.params),
        ("latest_metrics", wanted.metrics),
    ):
        for number, name in enumerate(names):
            alias = f"{table}_{number}"
            columns.append(f"{alias}.value")
            if table == "latest_metrics":
                columns.append(f"{alias}.is_nan")
            its = f"{alias}.key = ? AND {alias}.run_uuid = own.run_uuid"
            joins.append(f"LEFT JOIN {table} AS {alias} ON {its}")
            values.append(name)
    # Cross joins are read in this order: the index of tags has a name's in the order of the runs.
    rows = tables.execute(
        f"SELECT {', '.join(columns)} FROM tags AS own CROSS JOIN runs "
        f"ON runs.run_uuid = own.run_uuid {' '.join(joins)} "
        "WHERE own.key = ? AND own.run_uuid > ? AND own.value = ? "
        "AND runs.experiment_id = ? AND runs.lifecycle_stage = 'active' "
        "ORDER BY own.run_uuid LIMIT ?",
        (*values, of[0], after, of[1], experiment, _PAGE),
    ).fetchall()
    return (_run(row, wanted) for row in rows), rows[-1][0] if len(rows) == _PAGE else None


def _run(row: tuple[Any, ...], wanted: Wanted) -> LoggedRun:
    run_id, status, start, end, *values = row
    named, more = len(wanted.tags), len(wanted.tags) + len(wanted.params)
    metrics = _there(wanted.metrics, values[more::2])
    if any(values[more + 1 :: 2]):
        nans = dict(zip(wanted.metrics, values[more + 1 :: 2], strict=True))
        metrics = {name: math.nan if nans[name] else value for name, value in metrics.items()}
    return LoggedRun(
        run_id=run_id,
        name="",
        status=status,
        started_ms=start or 0,
        ended_ms=end or 0,
        tags=_there(wanted.tags, values[:named]),
        params=_there(wanted.params, values[named:more]),
        metrics=metrics,
    )


def _there(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Values by name, without those that a run lacks.

    A million runs come through here: most of their time was Python's, a value at a time.
    """
    found = dict(zip(names, values, strict=True))
    if None not in values:
        return found
    return {name: value for name, value in found.items() if value is not None}
