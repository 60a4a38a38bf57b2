"""Cells that a user's own function trains, one after another."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainables.engine import seeding
from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.contract import NO_MODEL, Cell, CellResult, Scalar, Task
from trainables.engine.errors import ConfigError, FoldraceError
from trainables.engine.functions.declaration import Pair, Train, file_of, name_of, takes_model
from trainables.engine.functions.outcome import predictions, read
from trainables.engine.functions.rows import Rows
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData
from trainables.engine.training import cost


def train_cells(
    task: Task,
    function: Train,
    data: TextData,
    cells: Sequence[Cell],
    report: Callable[[CellResult], None],
) -> None:
    """Train cells by a user's function; report each as it ends.

    A cell that raises, or gives no sound answer, is reported as failed, and the others go on.

    Args:
        task: Task of the cells.
        function: The user's.
        data: Data of the task.
        cells: Cells to train.
        report: Called with each result.
    """
    for cell in cells:
        report(_cell(task, function, data, cell))


def _cell(task: Task, function: Train, data: TextData, cell: Cell) -> CellResult:
    began = time.perf_counter()
    cost.forget_peak()
    rows, held_out = folds.held_out(data, task.split, cell.seed, cell.fold)
    train, test = Rows.of(data, rows), Rows.of(data, held_out)
    try:
        answer = call(task, function, cell.config, train, test, cell.seed)
        # The function may have changed its rows: those that it is judged by are fresh.
        found = read(answer, data, Rows.of(data, held_out), name_of(function))
    except Exception as error:
        return CellResult(key=cell.key, status="failed", error=told(error, function))
    there = len(found.probabilities) > 0
    return CellResult(
        key=cell.key,
        status="done",
        metrics={
            **found.metrics,
            "seconds": time.perf_counter() - began,
            "peak_memory_mib": cost.peak_mib(),
        },
        rows=held_out if there else np.zeros(0, np.int64),
        probabilities=found.probabilities,
    )


def call(
    task: Task,
    function: Train,
    config: Mapping[str, Scalar],
    train: Rows,
    test: Rows,
    seed: int,
) -> Any:
    """Call a user's function with a fresh config and seeded generators.

    Raises:
        Exception: whatever the function raises.
    """
    more = _model_of(task, function)
    return _guarded(lambda: function(dict(config), train, test, seed, **more), function, seed)


def _model_of(task: Task, function: Train) -> dict[str, str]:
    """Return the argument `model`, for a function that takes it."""
    if task.model == NO_MODEL or not takes_model(function):
        return {}
    from trainables.engine.models import pretrained

    return {"model": str(pretrained.locate(task.model))}


def _guarded(doing: Callable[[], Any], function: Train, seed: int) -> Any:
    """Call a user's function with seeded generators, its exits caught."""
    process = os.getpid()
    seeding.start_everything(seed)
    try:
        # What it prints is no part of an answer that a program reads.
        with contextlib.redirect_stdout(sys.stderr):
            answer = doing()
    except SystemExit as error:
        if os.getpid() != process:
            raise
        said = "fit or predict" if isinstance(function, Pair) else "train"
        raise ConfigError(f"{said} ended the program ({error!r}): it must return.") from error
    finally:
        if os.getpid() != process:
            os._exit(0)  # a child that the function forked, and that came back like its parent
    return answer


def fitted(
    task: Task, pair: Pair, data: TextData, config: Mapping[str, Scalar], seed: int, rows: IntArray
) -> Any:
    """Return the model that a pair's `fit` makes of some rows.

    Args:
        task: Task of the sweep.
        pair: The user's functions.
        data: Data of the task.
        config: Complete config.
        seed: Seed that the function gets.
        rows: Rows to fit.

    Raises:
        ConfigError: if it raises, with the line.
    """
    train, more = Rows.of(data, rows), _model_of(task, pair)
    try:
        return _guarded(lambda: pair.fit(dict(config), train, seed, **more), pair, seed)
    except Exception as error:
        raise ConfigError(told(error, pair)) from error


def predicted(
    pair: Pair, model: Any, data: TextData, rows: TextData, places: IntArray | None = None
) -> Float32Array:
    """Return what a pair's `predict` says of rows.

    Args:
        pair: The user's functions.
        model: What `fit` returned.
        data: Data that it was fitted to.
        rows: Rows to predict, with all columns that the function reads.
        places: Those of the rows to predict; None for all.

    Returns:
        Probabilities, float32 (rows, classes), or numbers, (rows, 1).

    Raises:
        ConfigError: if it gives no predictions, or raises.
    """
    chosen = np.arange(len(rows)) if places is None else places
    test = Rows.of(rows, chosen, labelled=False)
    try:
        answer = _guarded(lambda: pair.predict(model, test), pair, 0)
        return _alone(answer, data, test, "predict")
    except Exception as error:
        raise ConfigError(told(error, pair)) from error


def probabilities(
    task: Task,
    function: Train,
    data: TextData,
    config: Mapping[str, Scalar],
    seed: int,
    rows: TextData,
) -> Float32Array:
    """Train a config on all rows of the data, and predict others.

    Args:
        task: Task of the sweep.
        function: The user's.
        data: Data of the task.
        config: Complete config.
        seed: Seed that the function gets.
        rows: Rows to predict, with all columns that the function reads.

    Raises:
        ConfigError: if it gives no predictions, or raises.
    """
    train = Rows.of(data, np.arange(len(data)))
    test = Rows.of(rows, np.arange(len(rows)), labelled=False)
    try:
        answer = call(task, function, config, train, test, seed)
        return _alone(answer, data, test, name_of(function))
    except FoldraceError:
        raise
    except Exception as error:
        raise ConfigError(told(error, function)) from error


def _alone(answer: Any, data: TextData, test: Rows, name: str) -> Float32Array:
    """Return predictions without the metrics beside them."""
    if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping):
        answer = answer[0]
    if isinstance(answer, Mapping):
        raise ConfigError(f"{name} returns metrics alone: it predicts nothing for new rows.")
    return predictions(answer, data, test, name)


def told(error: Exception, function: Train) -> str:
    """Return what a function raised, with the line of its file."""
    if isinstance(error, ConfigError):
        return str(error)
    file = file_of(function)
    frames = traceback.extract_tb(error.__traceback__)
    mine = [frame for frame in frames if frame.filename == file]
    where = ""
    if mine:
        line = f": {mine[-1].line}" if mine[-1].line else ""
        where = f" ({Path(mine[-1].filename).name}, line {mine[-1].lineno}{line})"
    return f"{type(error).__name__}: {error}{where}"
