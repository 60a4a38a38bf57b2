"""Official parts in files of their own, as one table with `split`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from trainables.engine.datasets.table_files import Table, read_table
from trainables.engine.errors import DataError


def read_parts(files: Sequence[tuple[str, Path]], column_names: Collection[str]) -> Table:
    """Return the rows of all files, one file after another.

    Args:
        files: (part, file) pairs in order.
        column_names: Names of the columns to keep.

    Raises:
        DataError: if a file cannot be read, or lacks a column that the first one has.
    """
    tables = [(part, read_table(path, column_names)) for part, path in files]
    first = tables[0][1]
    for _, table in tables[1:]:
        lacking = [name for name in first.columns if name not in table.columns]
        if lacking:
            raise DataError(f"{table.source} has no column {lacking[0]!r}, as {first.source} has.")
    columns = {
        name: [value for _, table in tables for value in table.columns[name]]
        for name in first.columns
        if name != "split"
    }
    return Table(
        source=" and ".join(table.source for _, table in tables),
        names=(*(name for name in first.names if name != "split"), "split"),
        columns={**columns, "split": [part for part, table in tables for _ in range(table.rows)]},
        rows=sum(table.rows for _, table in tables),
        typed=first.typed,
        notes=tuple(note for _, table in tables for note in table.notes),
    )
