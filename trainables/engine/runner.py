"""Trains a stack of cells and reports each as it finishes: the one entry from `search`.

Data, tokens and pretrained weights are kept for the life of the process, since Ray gives a process
one stack after another; each cell starts from a fresh copy of the weights.
"""

from __future__ import annotations

import copy
import gc
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainables.engine import (
    batches,
    binding,
    checkpoint,
    encoder,
    folds,
    loop,
    registry,
    scoring,
    seeding,
)
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.dataset import load_data
from trainables.engine.textdata import TextData


class TaskChangedError(ValueError):
    """The data or the weights on this machine are not those that the sweep was planned with."""


@dataclass(frozen=True)
class Timing:
    """What a few measured steps say of a cell.

    Attributes:
        seconds_per_step: Of one training step.
        steps_per_cell: Training steps of a whole cell.
        seconds_per_cell: Training and scoring of a whole cell.
    """

    seconds_per_step: float
    steps_per_cell: int
    seconds_per_cell: float


def _checked_data(task: Task) -> TextData:
    """The task's data.

    Raises:
        TaskChangedError: with both fingerprints, if data or weights are not the planned ones.
    """
    data = load_data(task.data)
    for what, planned, here in (
        (f"Data {task.data.name!r}", task.data_fingerprint, data.fingerprint),
        (f"Model {task.model!r}", task.model_fingerprint, encoder.model_fingerprint(task.model)),
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


def _train_cell(
    task: Task, data: TextData, cell: Cell, accumulation: int, folder: Path | None
) -> CellResult:
    began = time.perf_counter()
    _forget_peak()
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
        "peak_memory_mib": _peak_mib(),
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


def measure(task: Task, cell: Cell, steps: int = 4) -> Timing:
    """Time a few steps of a cell, the first one apart: it pays for what later ones reuse.

    Args:
        task: What cells share.
        cell: The cell; nothing of it is kept.
        steps: Steps to time.
    """
    data = _checked_data(task)
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
    return Timing(per_step, training.steps, seconds)


def _forget_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    try:
        # Linux: start the process's high-water mark anew, so that a cell's peak is its own.
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak_mib() -> float:
    """Peak memory since `_forget_peak`: of the GPU where there is one, else of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
