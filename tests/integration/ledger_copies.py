"""Ledgers that were filled once, copied for each test that changes one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def copied(folder: Path, place: Path) -> None:
    """Copy a folder with mlflow.db and its artifacts; the copy's runs have the copy's files."""
    shutil.copytree(folder, place, dirs_exist_ok=True)
    with closing(sqlite3.connect(place / "mlflow.db")) as tables, tables:
        for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
            tables.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",
                (str(folder), str(place)),
            )
