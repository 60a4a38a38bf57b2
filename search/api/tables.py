"""Frames and data sets in memory, made files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import InputError
from search.formatting import counted
from search.process.folders import STATE

if TYPE_CHECKING:
    import pandas as pd

# A frame, its copy for the file, and the columns that are read again.
_COPIES = 4
# Of a cell, while a table is read: its value is an object of Python's, and a row is one text. Then
# what stays of it.
_BYTES_OF_A_CELL, _BYTES_KEPT = 170, 66


def path_of(data: Any, name: str | None = None, trials: int = 0) -> str:
    """Name of data; what is in memory becomes a file.

    Args:
        data: Name, path, pandas frame, `datasets.Dataset` or `DatasetDict`, or a list of dicts.
        name: Stem of the file; `frame` without one.
        trials: Number of further processes of this machine that will read it at once.

    Raises:
        InputError: if it is something else, or a frame that no table can hold.
    """
    if isinstance(data, str | Path):
        return str(data)
    frame = _frame_of(data)
    check_frame(frame, trials)
    return str(_written(frame, name or "frame"))


def _frame_of(data: Any) -> pd.DataFrame:
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, Mapping) and data and all(map(_is_dataset, data.values())):
        parts = [_of_dataset(part).assign(split=name) for name, part in data.items()]
        return pd.concat(parts, ignore_index=True)
    if _is_dataset(data):
        return _of_dataset(data)
    listed = isinstance(data, Iterable) and not isinstance(data, bytes)
    if isinstance(data, Mapping) or listed:
        try:
            return pd.DataFrame(data if isinstance(data, Mapping) else list(data))
        except (ValueError, TypeError) as error:
            raise InputError(f"data cannot be read as a table: {error}") from error
    raise InputError(
        "data must be a name, a path, a pandas frame, a datasets.Dataset or a list of dicts; got "
        f"a {type(data).__name__}."
    )


def _is_dataset(data: Any) -> bool:
    return hasattr(data, "to_pandas") and hasattr(data, "features")


def _of_dataset(data: Any) -> pd.DataFrame:
    """Columns of a data set, classes with their names beside them."""
    frame: pd.DataFrame = data.to_pandas()
    for column, feature in data.features.items():
        names = getattr(feature, "names", None)
        if names and f"{column}_name" not in frame:
            known = frame[column].map(
                lambda number, names=names: names[int(number)] if number >= 0 else None
            )
            frame = frame.assign(**{f"{column}_name": known})
    return frame


def check_frame(frame: pd.DataFrame, trials: int = 0) -> None:
    """Refuse a frame that no table can hold, or memory cannot.

    Args:
        frame: The frame.
        trials: Number of further processes of this machine that will read it at once.

    Raises:
        InputError: naming what is wrong with it, and what to do.
    """
    import pandas as pd

    if not len(frame) or not len(frame.columns):
        raise InputError(f"The frame has {len(frame):,} rows and {len(frame.columns)} columns.")
    if isinstance(frame.columns, pd.MultiIndex):
        raise InputError(
            "The frame's columns have several levels (a MultiIndex): join them to one name each, "
            "as frame.columns = ['_'.join(map(str, name)) for name in frame.columns]."
        )
    twice = frame.columns[frame.columns.duplicated()].tolist()
    if twice:
        raise InputError(
            f"The frame has several columns called {twice[0]!r}: rename or drop all but one."
        )
    strange = [name for name in frame.columns if not isinstance(name, str)]
    if strange:
        raise InputError(
            f"A column's name must be a text, got {strange[0]!r}: frame.columns = "
            "frame.columns.map(str)."
        )
    _check_memory(frame, trials)


def _check_memory(frame: pd.DataFrame, trials: int) -> None:
    import psutil

    rows = len(frame)
    sample = frame.iloc[:: max(1, rows // 1000)]
    size = sample.memory_usage(deep=True).sum() / len(sample) * rows
    cells = rows * len(frame.columns)
    here = max(_COPIES * size, _BYTES_OF_A_CELL * cells)
    # Trials begin together, when this process has read its own.
    needed = max(here, _BYTES_KEPT * cells + trials * here)
    free = psutil.virtual_memory().available
    if needed > free:
        raise InputError(
            f"The frame's {rows:,} rows take {size / 2**30:.1f} GiB, and reading them as a sweep "
            f"does some {needed / 2**30:.1f} GiB{_where(trials)}; {free / 2**30:.1f} GiB are free. "
            "Take a sample, as frame.sample(100_000), drop columns"
            f"{', give trials=1' if trials > 1 else ''}, or take a machine with more memory."
        )


def _where(trials: int) -> str:
    return f", in this process and {counted(trials, 'trial')} beside it" if trials else ""


def _written(frame: pd.DataFrame, name: str) -> Path:
    """File of a frame: the same one for equal contents."""
    import pandas as pd

    plain = frame.reset_index(drop=True)
    for column in plain.columns:
        kind = plain[column].dtype
        if isinstance(kind, pd.CategoricalDtype):
            plain[column] = plain[column].astype(kind.categories.dtype)
        elif kind.kind in "mM" or isinstance(kind, pd.PeriodDtype | pd.IntervalDtype):
            plain[column] = plain[column].astype(str)
    try:
        rows = pd.util.hash_pandas_object(plain, index=False).to_numpy().tobytes()
    except TypeError as error:  # cells of lists or dicts
        raise InputError(
            f"The frame has cells that are no numbers or texts ({error}): give them a column each, "
            "or drop them."
        ) from error
    digest = hashlib.sha256(rows + repr(list(plain.columns)).encode()).hexdigest()[:12]
    path = STATE / "frames" / digest / f"{name}.parquet"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        plain.to_parquet(draft, index=False)
        draft.replace(path)
    return path.resolve()
