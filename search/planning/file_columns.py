"""Text columns of a file that a finished sweep is to classify."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from search.errors import InputError
from trainables.engine import registry
from trainables.engine.contract import DataRef
from trainables.engine.tables.files import ENDINGS
from trainables.engine.tables.headers import read_header
from trainables.engine.tables.read import is_table, read_table
from trainables.engine.tables.table import Table


def text_columns(
    ref: DataRef, pairs: bool, column: str | None = None, column_b: str | None = None
) -> list[str]:
    """Names of a file's text columns: the user's, else the sweep's.

    Args:
        ref: The sweep's data.
        pairs: True if rows are pairs of texts.
        column: Column of the text, as the user gave it.
        column_b: Column of the second text.
    """
    return [column or ref.text or "text"] + ([column_b or ref.text_b or "text_b"] if pairs else [])


def check_file(
    path: Path, ref: DataRef, column: str | None = None, column_b: str | None = None
) -> None:
    """Refuse a missing table, or one without its text column.

    Reads no more than the header where that can tell. A file of another kind is passed: it may be
    a text.

    Raises:
        InputError: naming the column, and those that the file has.
    """
    if not path.exists():
        raise InputError(f"There is no file {path}.")
    if not is_table(path):
        if column or column_b:
            raise InputError(
                f"{path} is no table ({' '.join(ENDINGS)}), so it has no column "
                f"{column or column_b!r}: leave --text out, or give a table."
            )
        return
    columns = text_columns(ref, bool(column_b or ref.text_b), column, column_b)
    header = read_header(path, columns)
    if header is None:
        table_with(path, columns)
    else:
        _must_have(path, header.names, columns)


def table_with(path: Path, columns: Iterable[str]) -> Table:
    """All columns of a file, after checking that some are there.

    Raises:
        InputError: if the file cannot be read, or has no such column.
    """
    wanted = list(columns)
    table = read_table(path, wanted)  # refuses a wanted column that stands there twice
    _must_have(path, table.names, wanted)
    return read_table(path, None, wanted)


def _must_have(path: Path, names: Iterable[str], columns: Iterable[str]) -> None:
    there = list(names)
    for name, option in zip(columns, ("--text", "--text-b"), strict=False):
        if name not in there:
            hint = registry.hint(name, there)
            raise InputError(
                f"{path} has no column {name!r}.{hint} Its columns: {', '.join(there)}. Choose "
                f"one with {option}."
            )
