"""Cells of classifiers that are fitted to texts, without a network.

Such a classifier stands beside networks as a reference: the same rows, folds and metrics.
"""

from __future__ import annotations

import time

import numpy as np

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Estimator, Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.text_data import TextData
from trainables.engine.training import cost, scoring

# A measurement fits this many rows, and goes by the share of all.
_MEASURED_ROWS = 1_000


def fitted_cell(task: Task, data: TextData, cell: Cell, config: TrainingConfig) -> CellResult:
    """Fit and score one cell.

    One whose classifier raises has failed.
    """
    began = time.perf_counter()
    cost.forget_peak()
    try:
        estimator = _estimator(task, config)
        train, held_out = assembly.rows(task, data, cell)
        probabilities = fitted_probabilities(estimator, data, train, held_out)
    except Exception as error:  # whatever it does, its neighbours go on
        return assembly.failure(cell, error)
    return CellResult(
        key=cell.key,
        status="done",
        metrics={
            **scoring.score(data.labels[held_out], probabilities, data.label_names),
            "seconds": time.perf_counter() - began,
            "peak_memory_mib": cost.peak_mib(),
        },
        rows=held_out,
        probabilities=probabilities,
    )


def fitted_probabilities(
    estimator: Estimator, data: TextData, train: IntArray, scored: IntArray
) -> Float32Array:
    """Fit some rows and score others.

    Args:
        estimator: Classifier, not fitted yet.
        data: All rows.
        train: Rows to fit.
        scored: Rows to score.

    Returns:
        Class probabilities, float32 (scored, classes).
    """
    estimator.fit(_texts(data, train), data.labels[train])
    return estimator.probabilities(_texts(data, scored), len(data.label_names))


def seconds(task: Task, data: TextData, cell: Cell, config: TrainingConfig) -> float:
    """Seconds of one cell, from a part of its rows."""
    train, held_out = assembly.rows(task, data, cell)
    drawn = np.random.default_rng(0).permutation(train)[:_MEASURED_ROWS]
    began = time.perf_counter()
    fitted_probabilities(_estimator(task, config), data, drawn, held_out[:_MEASURED_ROWS])
    return (time.perf_counter() - began) * len(train) / len(drawn)


def _estimator(task: Task, config: TrainingConfig) -> Estimator:
    estimator = Trainable.load(task.trainable).estimator(config)
    if estimator is None:
        raise ValueError(f"A config of {task.trainable!r} has no estimator: {config}.")
    return estimator


def _texts(data: TextData, rows: IntArray) -> list[list[str]]:
    columns = [data.texts, *([] if data.texts_b is None else [data.texts_b])]
    return [[column[row] for row in rows] for column in columns]
