"""Trains a stack of cells and reports each as it finishes: the one entry from `search`.

Data, tokens and pretrained weights are kept for the life of the process, since Ray gives a process
one stack after another; each cell starts from a fresh copy of the weights.
"""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainables.engine import (
    batches,
    binding,
    checkpoint,
    cost,
    encoder,
    folds,
    heads,
    loop,
    registry,
    scoring,
    seeding,
    word_vectors,
)
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.dataset import load_data
from trainables.engine.textdata import TextData

# Heads are timed in a stack of so many: alone, a head would pay for what a stack shares.
_HEADS_MEASURED = 32


class TaskChangedError(ValueError):
    """The data or the weights on this machine are not those that the sweep was planned with."""


def _checked_data(task: Task) -> TextData:
    """The task's data.

    Raises:
        TaskChangedError: with both fingerprints, if data or weights are not the planned ones.
    """
    data = load_data(task.data)
    for what, planned, here in (
        (f"Data {task.data.name!r}", task.data_fingerprint, data.fingerprint),
        (f"Model {task.model!r}", task.model_fingerprint, encoder.model_fingerprint(task.model)),
        *(
            (f"File {file!r}", was, word_vectors.fingerprint(file))
            for file, was in sorted(task.files.items())
        ),
    ):
        if planned != here:
            raise TaskChangedError(
                f"{what} changed since the sweep was planned: fingerprint was {planned[:16]}, is "
                f"{here[:16]} here. Put the old one back, or start a new sweep."
            )
    return data


def _module(task: Task, config: Any, classes: int, seed: int) -> torch.nn.Module:
    """A cell's module: a copy of the pretrained encoder under a head drawn from the seed."""
    build = registry.load("trainables", task.trainable, "build")
    base = copy.deepcopy(encoder.load_encoder(task.model))
    with seeding.drawing_from(seed, "init"):
        module: torch.nn.Module = build(config, base, classes)
    return module


def _cell_data(task: Task, data: TextData, config: Any, cell: Cell) -> loop.CellData:
    tokens = batches.tokenised(data, task.model, config.max_length)
    train, held_out = folds.held_out(data, task.split, cell.seed, cell.fold)
    return loop.CellData(tokens, train, held_out)


def train_stack(
    task: Task,
    cells: Sequence[Cell],
    report: Callable[[CellResult], None],
    *,
    threads: int | None = None,
    accumulation: int = 1,
    checkpoints: Path | None = None,
) -> None:
    """Train the cells of a stack and report each as it finishes.

    A cell that diverges or raises is reported as such, and the next one is trained.

    Args:
        task: What the cells share.
        cells: Cells of one shape.
        report: Called with each result.
        threads: CPU threads of this process; None leaves torch's choice.
        accumulation: Cut batches into so many parts to save memory.
        checkpoints: Folder below which each cell saves its long epochs, until it is reported; None
            saves nothing.

    Raises:
        ValueError: if data or weights changed, or cannot be read: no cell could be trained.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    data = _checked_data(task)
    if heads.trains_heads(task.trainable):
        _train_heads(task, data, cells, report)
        return
    encoder.load_encoder(task.model)
    # What is loaded by now stays: a collection after each cell need not look at it again.
    gc.collect()
    gc.freeze()
    for cell in cells:
        folder = None if checkpoints is None else checkpoints / cell.key
        try:
            try:
                result = _train_cell(task, data, cell, accumulation, folder)
            except checkpoint.BrokenCheckpointError:
                result = _train_cell(task, data, cell, accumulation, None)
        except loop.DivergedError as error:
            result = CellResult(key=cell.key, status="diverged", error=str(error))
        except Exception as error:  # whatever a trainable does, its neighbours go on
            result = CellResult(
                key=cell.key, status="failed", error=f"{type(error).__name__}: {error}"
            )
        # A cell's module, optimizer and accelerator refer to one another: without a collection they
        # would lie in memory beside the next cell's.
        gc.collect()
        report(result)
        if folder is not None:
            checkpoint.remove(folder)


def _train_heads(
    task: Task, data: TextData, cells: Sequence[Cell], report: Callable[[CellResult], None]
) -> None:
    told: set[str] = set()

    def tell(result: CellResult) -> None:
        told.add(result.key)
        report(result)

    cost.forget_peak()
    try:
        heads.train(task, data, cells, tell, cost.peak_mib)
    except Exception as error:  # as in train_stack, for those that were not through
        for cell in cells:
            if cell.key not in told:
                message = f"{type(error).__name__}: {error}"
                report(CellResult(key=cell.key, status="failed", error=message))


def _train_cell(
    task: Task, data: TextData, cell: Cell, accumulation: int, folder: Path | None
) -> CellResult:
    began = time.perf_counter()
    cost.forget_peak()
    config = binding.bind(task.trainable, cell.config)

    def score(
        rows: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float32]
    ) -> Mapping[str, float]:
        return scoring.score(data.labels[rows], probabilities, data.label_names)

    module = _module(task, config, len(data.label_names), cell.seed)
    fit = loop.fit(
        module,
        _cell_data(task, data, config, cell),
        config,
        cell.seed,
        lambda rows, given: _few(score(rows, given)),
        accumulation=accumulation,
        checkpoint=folder,
    )
    metrics = {
        **score(fit.rows, fit.probabilities),
        "seconds": time.perf_counter() - began,
        "peak_memory_mib": cost.peak_mib(),
    }
    return CellResult(
        key=cell.key,
        status="done",
        metrics=metrics,
        epochs=tuple(fit.epochs),
        rows=fit.rows,
        probabilities=fit.probabilities,
    )


def _few(metrics: Mapping[str, float]) -> dict[str, float]:
    """What is worth a point per epoch: the ledger's size is mostly these points."""
    return {name: metrics[name] for name in ("loss", "accuracy", "macro_f1")}


def measure(task: Task, cell: Cell, steps: int = 4) -> cost.Timing:
    """Time a few steps of a cell, the first one apart: it pays for what later ones reuse.

    Args:
        task: What cells share.
        cell: The cell; nothing of it is kept.
        steps: Steps to time.
    """
    data = _checked_data(task)
    if heads.trains_heads(task.trainable):
        return heads.measure(task, data, cell, steps, _HEADS_MEASURED)
    config = binding.bind(task.trainable, cell.config)
    rows = _cell_data(task, data, config, cell)
    began = time.perf_counter()
    module = _module(task, config, len(data.label_names), cell.seed)
    training = loop.Training(module, rows, config, cell.seed, accumulation=1)
    start = time.perf_counter() - began
    training.epoch(0, most_steps=1)
    began = time.perf_counter()
    training.epoch(0, most_steps=steps)
    per_step = (time.perf_counter() - began) / min(steps, len(training.train))
    began = time.perf_counter()
    training.predict()
    scoring_s = time.perf_counter() - began
    seconds = start + training.steps * per_step + config.epochs * scoring_s
    return cost.Timing(per_step, training.steps, seconds)
