"""A number to be predicted, and its strata for folds."""

from __future__ import annotations

import numpy as np

from trainables.engine.arrays import FloatArray, IntArray
from trainables.engine.errors import DataError

_STRATA = 5
_ROWS_PER_STRATUM = 10


def strata(target: FloatArray) -> tuple[IntArray, tuple[str, ...]]:
    """Return a stratum of each row and the strata's names.

    Strata hold equal numbers of rows, by rank; equal targets share one. Folds are level in them.

    Raises:
        DataError: if all targets are equal.
    """
    distinct = len(np.unique(target))
    if distinct < 2:
        raise DataError(
            f"Every row has the target {target[0]:g}: choose another column with --target."
        )
    wanted = max(2, min(_STRATA, len(target) // _ROWS_PER_STRATUM, distinct))
    bounds = np.unique(np.quantile(target, np.arange(1, wanted) / wanted))
    ids = np.searchsorted(bounds, target, side="right")
    _, ids = np.unique(ids, return_inverse=True)
    names = []
    for number in range(int(ids.max()) + 1):
        mine = target[ids == number]
        names.append(f"{mine.min():g} to {mine.max():g}")
    if len(set(names)) < len(names):
        names = [f"{name} ({number + 1})" for number, name in enumerate(names)]
    return ids.astype(np.int64), tuple(names)
