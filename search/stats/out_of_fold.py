"""Out-of-fold predictions: every row scored by models that never saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Every row's prediction by every config and seed, each made by a model that never saw the row.

    Attributes:
        labels: True classes, int64 (rows,).
        groups: Rows with the same text share a number, int64 (rows,).
        label_names: Class names by id.
        probabilities: Float32 (configs, seeds, rows, classes).
        folds: Which fold of a seed held a row out, int64 (seeds, rows).
    """

    labels: IntArray
    groups: IntArray
    label_names: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    folds: IntArray
