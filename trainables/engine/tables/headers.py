"""The column names of a local table, read without its rows."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.tables.columnar import parquet_names
from trainables.engine.tables.delimited import SEPARATORS, hint_of
from trainables.engine.tables.files import ending_of, reader_of
from trainables.engine.tables.read import read_table
from trainables.engine.tables.table import Table

_OWN = {".csv": ",", ".tsv": "\t"}
_WHOLE_BYTES = 8 * 2**20  # of text, parsed in a blink
_LONGEST_LINE = 2**20


def read_header(path: Path, wanted: Collection[str] = ()) -> Table | None:
    """Return the columns of a local table as a table without rows.

    Args:
        path: Path of the table.
        wanted: Names that the header may hold, by which it is told from a title above it.

    Returns:
        None where only the reader of the whole table can tell the columns or the fault.

    Raises:
        DataError: if the file is missing, empty or of another kind.
    """
    if path.is_dir():
        return None
    reader_of(path)
    ending = ending_of(path)
    try:
        if ending == ".parquet":
            names = parquet_names(path)
            return Table(str(path), names, dict.fromkeys(names, ()), rows=0, typed=True)
        if path.stat().st_size <= _WHOLE_BYTES and not ending.endswith(".gz"):
            whole = read_table(path, wanted)
            names, hint, typed = whole.names, whole.hint, whole.typed
        elif ending in _OWN:  # each line of JSON has names of its own
            names, typed = _first_row(path, _OWN[ending]), False
            hint = hint_of(names, _OWN[ending])
            if wanted and not set(wanted) & set(names):
                return None  # it may be a title above the header
        else:
            return None
    except (OSError, DataError, ValueError, csv.Error):
        return None
    return Table(str(path), names, dict.fromkeys(names, ()), rows=0, typed=typed, hint=hint)


def _first_row(path: Path, separator: str) -> tuple[str, ...]:
    """Return the fields of a plain first line.

    Raises:
        ValueError: if the rows decide how the line is read.
        csv.Error: if a quoted name goes on in the next line.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(_LONGEST_LINE)
    doubtful = {"'", "#", "<", "=", *SEPARATORS} - {separator}
    if len(line) == _LONGEST_LINE or separator not in line or doubtful & set(line):
        raise ValueError(f"{path} has no plain header")
    if separator == "\t" and '"' in line:
        raise ValueError(f"{path}: the rows decide what its quotes are")
    fields = [field.strip() for field in next(csv.reader([line], delimiter=separator, strict=True))]
    if not all(fields) or any(field.startswith('"') for field in fields):
        raise ValueError(f"{path} has no plain header")
    return tuple(fields)
