"""The out-of-fold predictions of a sweep's complete configs, pooled over the folds of each seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from search.errors import NoPredictionsError
from search.results.sweep_labels import FILE, Truth

if TYPE_CHECKING:
    from search.ledger.ledger import Journal
    from search.planning.plan import Plan

IntArray = npt.NDArray[np.int64]

# Some 10 s from a local ledger, and 400 MB of memory.
MOST_CELLS = 10_000
MOST_PROBABILITIES = 100_000_000


@dataclass(frozen=True, eq=False)
class Pooled:
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


def gather(ledger: Journal, sweep_id: str, plan: Plan, configs: IntArray) -> Pooled:
    """Read and pool the predictions of configs that have all their cells.

    Args:
        ledger: Where they are kept.
        sweep_id: Of the sweep, which keeps the labels.
        plan: Its plan.
        configs: Indices of the configs, (configs,).

    Raises:
        NoPredictionsError: if there are too many, the protocol holds out a part only, or labels or
            predictions are missing.
        LedgerError: if a cell's predictions are missing, or MLflow cannot be reached.
    """
    if plan.spec.folds is None:
        raise NoPredictionsError("a hold-out protocol does not predict every row")
    if len(configs) * len(plan.blocks) > MOST_CELLS:
        raise NoPredictionsError(f"more than {MOST_CELLS:,} cells would have to be read")
    kept = ledger.file(sweep_id, FILE)
    if kept is None:
        raise NoPredictionsError("the sweep kept no labels")
    truth = Truth.from_bytes(kept)
    seeds = {seed: i for i, seed in enumerate(plan.spec.seeds)}
    shape = (len(configs), len(seeds), len(truth.labels), len(truth.label_names))
    if int(np.prod(shape, dtype=np.int64)) > MOST_PROBABILITIES:
        raise NoPredictionsError(f"more than {MOST_PROBABILITIES:,} probabilities would be read")
    pooled = np.full(shape, np.nan, np.float32)
    folds = np.full(shape[1:3], -1, np.int64)
    pairs = [(i, block) for i in range(len(configs)) for block in range(len(plan.blocks))]
    keys = [plan.cell((int(configs[i]), block)).key for i, block in pairs]
    for (i, block), (rows, given) in zip(pairs, ledger.predictions_of(keys), strict=True):
        seed, fold = plan.blocks[block]
        pooled[i, seeds[seed], rows] = given
        folds[seeds[seed], rows] = fold
    there = np.isfinite(pooled).all(axis=3).reshape(-1, len(truth.labels))
    covered = np.asarray(there.any(axis=0))  # the rows of an outer fold are in no split
    if not there[:, covered].all():
        raise NoPredictionsError("some cells lack the predictions of some rows")
    return Pooled(
        truth.labels[covered],
        truth.groups[covered],
        truth.label_names,
        pooled[:, :, covered],
        folds[:, covered],
    )
