"""One gate for local tables: files, and folders of files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from trainables.engine.errors import DataError
from trainables.engine.tables import files
from trainables.engine.tables.folder import files_of, read_folder
from trainables.engine.tables.table import Table


def is_table(path: Path) -> bool:
    """Return True for a folder, and for a table's ending."""
    return path.is_dir() or files.is_table(path)


def read_table(
    path: Path, column_names: Collection[str] | None, known: Collection[str] = ()
) -> Table:
    """Read some columns of a local table.

    Args:
        path: Path of a file that ends in .csv .tsv .jsonl .ndjson .json (each also with .gz)
            .parquet .arrow or .feather, or of a folder of such files that are one table.
        column_names: Names of the columns to keep; names that the table lacks are left out. None
            keeps all; names that stand there twice, or are blank, then get a number.
        known: Further names by which a header is told from a title above it.

    Raises:
        DataError: if it is missing, empty, of another kind, not UTF-8, or damaged; the message
            names the line.
    """
    try:
        if path.is_dir():
            return read_folder(path, column_names)
        return files.read_file(path, column_names, known)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error


def files_behind(path: Path) -> list[Path]:
    """Return the files that a table is read from, if any."""
    try:
        return files_of(path) if path.is_dir() else [path]
    except (DataError, OSError):
        return []
