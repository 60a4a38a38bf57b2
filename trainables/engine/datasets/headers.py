"""The column names of a local file, read without its rows."""

from __future__ import annotations

import csv
from pathlib import Path

from trainables.engine.datasets.table_files import Table, hint_of, read_table, reader_of
from trainables.engine.errors import DataError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_WHOLE_BYTES = 8 * 2**20  # of JSON lines, parsed in a blink
_LONGEST_LINE = 2**20


def read_header(path: Path) -> Table | None:
    """Return the columns of a local file as a table without rows.

    Returns:
        None where only the reader of the whole file can tell the columns or the fault.

    Raises:
        DataError: if the file is missing, empty or of another kind.
    """
    reader_of(path)
    kind = path.suffix.lower()
    hint = ""
    try:
        if kind == ".parquet":
            from pyarrow import parquet

            names = tuple(parquet.read_schema(path).names)
        elif kind in _DELIMITERS:
            names, delimiter = _first_row(path, _DELIMITERS[kind])
            hint = hint_of(names, delimiter)
        elif path.stat().st_size <= _WHOLE_BYTES:  # each line of JSON has names of its own
            names = read_table(path, ()).names
        else:
            return None
    except (OSError, DataError, ValueError, csv.Error):
        return None
    columns = dict.fromkeys(names, ())
    return Table(str(path), names, columns, rows=0, typed=kind not in _DELIMITERS, hint=hint)


def _first_row(path: Path, delimiter: str) -> tuple[tuple[str, ...], str]:
    """Return the fields of the first filled line, and its delimiter.

    Raises:
        ValueError: if the readers' dialects would take the line in different ways.
        csv.Error: if a quoted name goes on in the next line.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = next(
            (
                line
                for line in iter(lambda: file.readline(_LONGEST_LINE), "")
                if line.strip(" \t\r\n,;")
            ),
            "",
        )
    if not line or len(line) == _LONGEST_LINE or line.lstrip().startswith("<"):
        raise ValueError(f"{path} has no plain header")
    if delimiter == "\t" and '"' in line:
        raise ValueError(f"{path}: the rows decide what its quotes are")
    if delimiter == "," and "," not in line and ";" in line:
        delimiter = ";"
    fields = next(csv.reader([line], delimiter=delimiter, strict=True))
    return tuple(field.strip() for field in fields), delimiter
