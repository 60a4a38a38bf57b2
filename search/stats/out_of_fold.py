"""Out-of-fold predictions: every row scored by models that never saw it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Pooled out-of-fold predictions of several configs and seeds.

    Attributes:
        labels: True classes, int64 (rows,).
        groups: Group of each row, int64 (rows,); rows with the same text share one.
        label_names: Class names by id.
        probabilities: Float32 (configs, seeds, rows, classes).
        folds: Fold of each seed that held the row out, int64 (seeds, rows).
    """

    labels: IntArray
    groups: IntArray
    label_names: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    folds: IntArray
