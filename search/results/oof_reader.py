"""Reads out-of-fold predictions of complete configs from the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from search.arrays import IntArray
from search.errors import NoPredictionsError
from search.results.sweep_labels import FILE, SweepLabels
from search.stats.out_of_fold import OutOfFold

if TYPE_CHECKING:
    from search.ledger.ledger import Ledger
    from search.planning.plan import Plan


# Some 10 s from a local ledger, and 400 MB of memory.
MOST_CELLS = 10_000
MOST_PROBABILITIES = 100_000_000


def class_probabilities(
    ledger: Ledger, keys: Sequence[str], classes: int
) -> Iterator[tuple[IntArray, npt.NDArray[np.float32]]]:
    """Predictions of cells, in order: held-out rows and their class probabilities.

    Raises:
        NoPredictionsError: if the cells predict numbers, or kept metrics alone.
        LedgerError: if a cell's predictions are missing, or MLflow cannot be reached.
    """
    for rows, probabilities in ledger.predictions_of(keys):
        if not len(rows):
            raise NoPredictionsError("the cells give metrics alone, no predictions")
        if probabilities.shape[1] != classes:
            raise NoPredictionsError("the cells predict numbers, not classes")
        yield rows, probabilities


def gather(
    ledger: Ledger, sweep_id: str, plan: Plan, configs: IntArray, *, part: bool = False
) -> OutOfFold:
    """Read the predictions of configs that have all their cells.

    Args:
        ledger: Ledger that keeps them.
        sweep_id: Run id of the sweep, which keeps the labels.
        plan: Its plan.
        configs: Indices of the configs, (configs,).
        part: True where an official test part will do, whose rows each seed predicts.

    Raises:
        NoPredictionsError: if there are too many, the protocol holds out a part only, or labels or
            predictions are missing.
        LedgerError: if a cell's predictions are missing, or MLflow cannot be reached.
    """
    if plan.spec.folds is None and not (part and plan.spec.holdout == "official"):
        raise NoPredictionsError("a hold-out protocol does not predict every row")
    if len(configs) * len(plan.blocks) > MOST_CELLS:
        raise NoPredictionsError(f"more than {MOST_CELLS:,} cells would have to be read")
    labels_file = ledger.file(sweep_id, FILE)
    if labels_file is None:
        raise NoPredictionsError("the sweep kept no labels")
    truth = SweepLabels.from_bytes(labels_file)
    seeds = {seed: i for i, seed in enumerate(plan.spec.seeds)}
    shape = (len(configs), len(seeds), len(truth.labels), len(truth.label_names))
    if int(np.prod(shape, dtype=np.int64)) > MOST_PROBABILITIES:
        raise NoPredictionsError(f"more than {MOST_PROBABILITIES:,} probabilities would be read")
    pooled = np.full(shape, np.nan, np.float32)
    folds = np.full(shape[1:3], -1, np.int64)
    pairs = [(i, block) for i in range(len(configs)) for block in range(len(plan.blocks))]
    keys = [plan.cell((int(configs[i]), block)).key for i, block in pairs]
    predictions = class_probabilities(ledger, keys, len(truth.label_names))
    for (i, block), (rows, probabilities) in zip(pairs, predictions, strict=True):
        seed, fold = plan.blocks[block]
        pooled[i, seeds[seed], rows] = probabilities
        folds[seeds[seed], rows] = fold
    there = np.isfinite(pooled).all(axis=3).reshape(-1, len(truth.labels))
    covered = np.asarray(there.any(axis=0))  # the rows of an outer fold are in no split
    if not there[:, covered].all():
        raise NoPredictionsError("some cells lack the predictions of some rows")
    return OutOfFold(
        truth.labels[covered],
        truth.groups[covered],
        truth.label_names,
        pooled[:, :, covered],
        folds[:, covered],
    )
