"""A new sqlite file for MLflow, complete or not there.

MLflow makes the tables in the file itself, in some fifty steps that take seconds. A process that is
killed meanwhile would leave a file that no later one can use, and another that opens the file
meanwhile would take the same steps, and fail.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


def make_database(file: Path, artifacts: Path) -> None:
    """Make a database if there is none.

    Of two processes that do, one file stays.

    Args:
        file: Path of the database.
        artifacts: Folder of the files of experiments without a place of their own.

    Raises:
        OSError: if the folder cannot be written.
        MlflowException: if MLflow cannot make its tables.
    """
    if file.exists() and file.stat().st_size:
        return
    draft = file.with_name(f".{file.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        store = SqlAlchemyStore(f"sqlite:///{draft}", artifacts.as_uri())
        store.engine.dispose()
        SqlAlchemyStore._engine_map.pop(store.db_uri, None)
        _settle(draft)
        if file.exists() and not file.stat().st_size:
            file.unlink()  # sqlite takes an empty file as a new database, and so did we
        with contextlib.suppress(FileExistsError):
            _put(draft, file)
    finally:
        for path in draft.parent.glob(f"{draft.name}*"):
            path.unlink(missing_ok=True)


def _settle(draft: Path) -> None:
    """Merge the journal into the file, and write that to the disk."""
    with closing(sqlite3.connect(draft)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode = DELETE")
    with draft.open("rb") as written:
        os.fsync(written.fileno())


def _put(draft: Path, file: Path) -> None:
    try:
        os.link(draft, file)  # never over another process's
    except FileExistsError:
        raise
    except OSError:
        draft.replace(file)  # a file system without links
