"""Numeric columns of a table as metadata of labelled texts."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from trainables.engine import registry
from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.errors import DataError
from trainables.engine.tables.table import Table, listed
from trainables.engine.text_data import Metadata

_LOGICAL = {"true": 1.0, "false": 0.0}


def read_metadata(
    table: Table, names: Sequence[str], rows: Sequence[int], taken: Collection[str | None]
) -> tuple[Metadata | None, list[str]]:
    """Return the named columns as numbers.

    Whole numbers, fractions and logical values (true is 1) are numbers. A blank cell stays a
    missing value: the trainable decides what it counts as.

    Args:
        table: Columns as read.
        names: Names of the columns to take; empty for none.
        rows: Numbers of the rows to keep.
        taken: Names of the columns that hold the texts and labels.

    Returns:
        Metadata, None without names, and remarks for the audit.

    Raises:
        DataError: for a column that is not there, holds text or labels, is named twice, is blank in
            every row, or holds something else than numbers.
    """
    if not names:
        return None, []
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DataError(f"--metadata names {', '.join(twice)} more than once.")
    columns = [numeric_column(table, name, rows, taken) for name in names]
    remarks = []
    for name, column in zip(names, columns, strict=True):
        missing = sum(map(math.isnan, column))
        if missing == len(column):
            raise DataError(f"Metadata column {name!r} of {table.source} has no value in any row.")
        remarks.append(
            f"metadata {name!r}: {missing:,} of {len(column):,} values missing"
            if missing
            else f"metadata {name!r}: no value missing"
        )
    return Metadata(tuple(names), np.array(columns, np.float64).T.copy()), remarks


def numeric_column(
    table: Table, name: str, rows: Sequence[int], taken: Collection[str | None]
) -> list[float]:
    """Return the numbers of some rows of a column.

    A missing value is nan.

    Raises:
        DataError: if the column is not there, holds the texts or labels, or something else than
            numbers.
    """
    if name not in table.columns:
        hint = registry.hint(name, table.names)
        raise DataError(
            f"{table.source} has no column {name!r} for --metadata.{hint} Its columns: "
            f"{listed(table.names)}."
        )
    if name in taken:
        raise DataError(f"Column {name!r} holds texts or labels: it cannot be metadata as well.")
    values = table.columns[name]
    return [_number(values[row], name, table, row) for row in rows]


def _number(value: Any, name: str, table: Table, row: int) -> float:
    if is_missing(value):
        return math.nan
    try:
        cell = _LOGICAL.get(value.strip().lower(), value) if isinstance(value, str) else value
        number = float(cell)
    except (TypeError, ValueError):
        number = math.inf
    if not math.isfinite(number):
        raise DataError(
            f"Metadata column {name!r} of {table.source} must hold numbers, found {value!r} in "
            f"data row {row + 1:,}. Leave the cell blank where a value is missing, or choose other "
            "columns with --metadata."
        )
    return number
