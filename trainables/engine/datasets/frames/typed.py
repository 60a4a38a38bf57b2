"""Columns of a table as a pandas frame with types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.engine.datasets.label_cells import is_missing
from trainables.engine.errors import DataError
from trainables.engine.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

_LOGICAL = {"true": True, "false": False}


def typed_frame(table: Table) -> pd.DataFrame:
    """Return all columns of a table with types.

    Where every cell is a string, columns of numbers become numbers and true/false logical values; a
    blank is missing. Words stay words.

    Raises:
        DataError: for a column of lists or objects.
    """
    import pandas as pd

    columns = {}
    for name in table.names:
        values = table.columns[name]
        nested = next((v for v in values if isinstance(v, list | dict | tuple)), None)
        if nested is not None:
            raise DataError(
                f"Column {name!r} of {table.source} holds a {type(nested).__name__}; a function "
                "gets columns of numbers and words: write one value a cell, or drop the column."
            )
        columns[name] = _typed(list(values), table.typed)
    return pd.DataFrame(columns, columns=list(table.names))


def _typed(values: list[Any], typed: bool) -> Any:
    there = [value for value in values if not is_missing(value)]
    if not there:
        return np.full(len(values), np.nan)
    if not typed:
        logical = [_LOGICAL.get(str(value).strip().lower()) for value in values]
        if all(value is not None for value in logical):
            return np.array(logical, bool)
    numbers = _numbers(values, typed)
    if numbers is not None:
        return numbers
    if typed and all(isinstance(value, bool) for value in values):
        return np.array(values, bool)
    words: list[Any] = [None if is_missing(value) else str(value) for value in values]
    return words


def _numbers(values: list[Any], typed: bool) -> Any:
    """Return values as numbers; None if one of them is none.

    They are int64 where all are whole.
    """
    numbers = np.full(len(values), np.nan)
    whole = True
    for row, value in enumerate(values):
        if is_missing(value):
            whole = False
            continue
        if isinstance(value, bool) or (typed and not isinstance(value, int | float)):
            return None
        text = str(value).strip()
        try:
            numbers[row] = float(text)
        except ValueError:
            return None
        # 007 is a code and 1e3 a measurement; both would be told apart no more as numbers.
        if not typed and len(text) > 1 and text.isdecimal() and text.startswith("0"):
            return None
        whole = whole and text.lstrip("+-").isdecimal() and abs(numbers[row]) < 2**53
    return numbers.astype(np.int64) if whole else numbers
