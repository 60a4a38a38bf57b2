"""Files of one table, one after another, as official parts or none."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.tables.files import read_file
from trainables.engine.tables.table import Table


def read_parts(
    files: Sequence[tuple[str | None, Path]], column_names: Collection[str] | None
) -> Table:
    """Return the rows of all files, one file after another.

    Args:
        files: (part, file) pairs in order; parts become the column `split`. None for all parts
            leaves the files' own column as it is.
        column_names: Names of the columns to keep; None for all.

    Raises:
        DataError: if a file cannot be read, or lacks a column that others have.
    """
    tables = [read_file(path, column_names) for _, path in files]
    first = tables[0]
    for table, other in [*itertools.product([first], tables), *itertools.product(tables, [first])]:
        lacking = next((name for name in other.columns if name not in table.columns), None)
        if lacking is not None:
            raise DataError(f"{table.source} has no column {lacking!r}, as {other.source} has.")
    parted = any(part is not None for part, _ in files)
    columns = {
        name: [value for table in tables for value in table.columns[name]]
        for name in first.columns
        if name != "split" or not parted
    }
    names = first.names
    if parted:
        names = (*(name for name in names if name != "split"), "split")
        counts = [(part, table.rows) for (part, _), table in zip(files, tables, strict=True)]
        columns["split"] = [part for part, rows in counts for _ in range(rows)]
    return Table(
        source=_source(tables),
        names=names,
        columns=columns,
        rows=sum(table.rows for table in tables),
        typed=first.typed,
        notes=tuple(note for table in tables for note in table.notes),
        hint=first.hint,
    )


def _source(tables: Sequence[Table]) -> str:
    """Return the names of the files, shortened."""
    if len(tables) <= 3:
        return " and ".join(table.source for table in tables)
    return f"{tables[0].source} to {tables[-1].source} ({len(tables)} files)"
