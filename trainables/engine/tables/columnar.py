"""Parquet and Arrow files as columns."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from trainables.engine.errors import DataError
from trainables.engine.file_kind import FileKind, kind_of
from trainables.engine.tables.table import Table, kept_places, listed


def read_parquet(path: Path, wanted: Collection[str] | None) -> Table:
    """Return the columns of a Parquet file.

    Raises:
        DataError: if it is none, is damaged or empty, or a wanted column stands there twice.
    """
    import pyarrow as pa
    from pyarrow import parquet

    _check_kind(path, "Parquet", (FileKind.PARQUET,))
    try:
        with parquet.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            shown, keep = kept_places(str(path), names, wanted)
            if len(set(names)) == len(names):
                table = file.read(columns=[names[place] for place in keep.values()])
                columns = {name: table[names[place]] for name, place in keep.items()}
            else:
                table = file.read()
                columns = {name: table.column(place) for name, place in keep.items()}
            return _table(path, shown, table.num_rows, columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(path, "Parquet", error)) from error


def parquet_names(path: Path) -> tuple[str, ...]:
    """Return the column names of a Parquet file; no row is read.

    Raises:
        DataError: if it is none, or is damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return tuple(parquet.read_schema(path).names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(path, "Parquet", error)) from error


def read_arrow(path: Path, wanted: Collection[str] | None) -> Table:
    """Return the columns of an Arrow (Feather) file or stream.

    Raises:
        DataError: if it is none, is damaged or empty, or a wanted column stands there twice.
    """
    import pyarrow as pa

    _check_kind(path, "Arrow", (FileKind.ARROW, FileKind.ARROW_STREAM))
    stream = kind_of(path) is FileKind.ARROW_STREAM
    try:
        with pa.memory_map(str(path)) as source:
            opened = pa.ipc.open_stream(source) if stream else pa.ipc.open_file(source)
            table = opened.read_all()
            shown, keep = kept_places(str(path), tuple(table.schema.names), wanted)
            columns = {name: table.column(place) for name, place in keep.items()}
            return _table(path, shown, table.num_rows, columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(_damaged(path, "Arrow", error)) from error


def _check_kind(path: Path, wanted: str, kinds: tuple[FileKind, ...]) -> None:
    kind = kind_of(path)
    if kind is FileKind.EMPTY:
        raise DataError(f"{path} is empty.")
    if kind not in kinds:
        raise DataError(
            f"{path} is not a readable {wanted} file: it is {kind.phrase}. Here: {kind.advice}."
        )


def _damaged(path: Path, wanted: str, error: Exception) -> str:
    words = " ".join(str(error).split())[:200].rstrip(".")
    words = words if words.isprintable() else ascii(words)[1:-1]
    return f"{path} is not a readable {wanted} file: {words}. Fetch or write it anew."


def _table(path: Path, names: tuple[str, ...], rows: int, columns: dict[str, Any]) -> Table:
    if not rows:
        raise DataError(f"{path} is empty: it has columns ({listed(names)}) and no rows.")
    for column in columns.values():
        # Damaged offsets would be read from memory that belongs to others.
        column.validate(full=True)
    return Table(
        source=str(path),
        names=names,
        columns={name: column.to_pylist() for name, column in columns.items()},
        rows=rows,
        typed=True,
    )
