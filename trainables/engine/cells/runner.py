"""Trains and reports the cells of a trial: the entry from `search`.

Data, tokens and pretrained weights are kept for the life of the process, since Ray gives a process
one trial after another. Each cell starts from a fresh copy of the weights.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.cells import assembly, estimator, stacks
from trainables.engine.cells import measure as measuring
from trainables.engine.cells.sizing import Sizer
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import NO_MODEL, Cell, CellResult, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.errors import BrokenCheckpointError, DivergedError, TaskChangedError
from trainables.engine.features import named_files
from trainables.engine.functions import cells as functions
from trainables.engine.functions import timing
from trainables.engine.models import adapters, pretrained
from trainables.engine.stacking.fit_stack import let_go
from trainables.engine.text_data import TextData
from trainables.engine.training import checkpoint, cost, distributed, scoring
from trainables.engine.training.fit import fit
from trainables.engine.training.loop import Training
from trainables.engine.training.scoring import few_scores

# Sizes of stacks that this process knows.
_SIZER = Sizer()


def checked_data(task: Task) -> TextData:
    """Read the task's data; refuse data, weights or files that changed.

    Raises:
        TaskChangedError: with both fingerprints, if data, weights or a file are not the planned
            ones.
        InputError: if they cannot be had any more.
    """
    data = load_data(task.data)
    model = model_of(task)
    for name, planned, here in (
        (f"Data {task.data.name!r}", task.data_fingerprint, data.fingerprint),
        (f"Model {task.model!r}", task.model_fingerprint, model),
        *(
            (f"File {file!r}", planned, named_files.fingerprint(file))
            for file, planned in sorted(task.files.items())
        ),
    ):
        if planned != here:
            raise TaskChangedError(
                f"{name} changed since the sweep was planned: fingerprint was {planned[:16]}, is "
                f"{here[:16]} here. Put the old one back, or start a new sweep."
            )
    return data


def model_of(task: Task) -> str:
    """Fingerprint of the model of a task as it is here."""
    return NO_MODEL if task.model == NO_MODEL else pretrained.model_fingerprint(task.model)


def check(task: Task) -> None:
    """Read data and weights as `train_cells` would; train nothing.

    Raises:
        InputError: if they are not the planned ones, or cannot be read.
    """
    checked_data(task)


def load(task: Task) -> tuple[TextData, Trainable]:
    """Read data and weights into this process.

    Raises:
        InputError: as `check`.
    """
    data = checked_data(task)
    trainable = Trainable.load(task.trainable)
    if trainable.train is None and not trainable.may_train_heads and trainable.base is None:
        pretrained.load_encoder(task.model)
    return data, trainable


def train_cells(
    task: Task,
    cells: Sequence[Cell],
    report: Callable[[CellResult], None],
    *,
    stack: int | Literal["auto"] = "auto",
    threads: int | None = None,
    compiled: bool = False,
    each_epoch: bool = True,
    checkpoints: Path | None = None,
    sizer: Sizer = _SIZER,
) -> int | None:
    """Train the cells of a trial and report each as it finishes.

    A cell that diverges or raises is reported as such, and the others are trained. Cells for which
    memory runs out are trained again in stacks of half the size.

    Args:
        task: Task of the cells.
        cells: Cells of one shape.
        report: Called with each result.
        stack: Number of cells to train as one model; 1 trains one after another, on the plain path.
        threads: CPU threads of this process; None leaves torch's choice.
        compiled: Run models through torch.compile.
        each_epoch: Score held-out rows after each epoch; False scores them after the last alone,
            but in cells that choose the epoch.
        checkpoints: Folder below which a cell that trains alone saves its long epochs, until it is
            reported; None saves nothing.
        sizer: Sizes of stacks known in this process.

    Returns:
        The best number of cells of this shape to train as one model; None where none was tried.

    Raises:
        InputError: if data or weights changed, or cannot be read: no cell could be trained.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    data, trainable = load(task)
    if trainable.train is not None:
        functions.train_cells(task, trainable.train, data, cells, report)
        return None
    if trainable.may_train_heads:
        let_go()  # features may be extracted first, in the memory of a stack that is done
    # Data and weights stay: a collection after each cell need not look at them again.
    gc.collect()
    gc.freeze()
    best = None
    for group in stacks.grouped(task, cells, report):
        if trainable.estimator(group[0][1]) is not None:
            for cell, config in group:
                report(estimator.fitted_cell(task, data, cell, config))
            continue
        heads = trainable.representation(group[0][1]) is not None
        known = _stack_size(task, data, group, stack, sizer)
        if known is not None and not heads:
            best = max(best or 1, known)
        # Without Python's part in a step a GPU takes a cell alone as a stack of one.
        recorded = stack == "auto" and not compiled and _records(task, data, group[0])
        size = known or (measuring.FIRST_ON_GPU if recorded else 1)
        waiting = [group[start : start + size] for start in range(0, len(group), size)]
        while waiting:
            part = waiting.pop(0)
            if len(part) == 1 and not heads and not recorded:
                start = partial(assembly.training, task, data, *part[0], compiled)
                _train_alone(data, part[0][0], start, each_epoch, checkpoints, report)
                continue
            left = stacks.train_stack(task, data, part, report, compiled, each_epoch)
            gc.collect()
            if len(left) == 1 and len(part) == 1:
                report(assembly.failure(left[0][0], MemoryError("out of memory")))
            elif left:
                best = (len(part) + 1) // 2
                sizer.limit(best)
                waiting = [left[at : at + best] for at in range(0, len(left), best)] + waiting
    return best


def _stack_size(
    task: Task,
    data: TextData,
    group: Sequence[stacks.Member],
    requested: int | Literal["auto"],
    sizer: Sizer,
) -> int | None:
    """As `measure.stack_size`; 1 where a probe raises, as its cells then will."""
    try:
        return measuring.stack_size(task, data, group, requested, sizer)
    except Exception:
        return 1


def _records(task: Task, data: TextData, member: stacks.Member) -> bool:
    """As `measure.records`; False where that raises, as its cell then will."""
    try:
        return measuring.records(task, data, member)
    except Exception:
        return False


def _train_alone(
    data: TextData,
    cell: Cell,
    start: Callable[[], Training],
    each_epoch: bool,
    checkpoints: Path | None,
    report: Callable[[CellResult], None],
) -> None:
    let_go()
    folder = None if checkpoints is None else checkpoints / cell.key
    try:
        try:
            result = _train_cell(data, cell, start, each_epoch, folder)
        except BrokenCheckpointError:
            result = _train_cell(data, cell, start, each_epoch, None)
    except DivergedError as error:
        result = CellResult(key=cell.key, status="diverged", error=str(error))
    except Exception as error:  # whatever a trainable does, its neighbours go on
        if distributed.processes() > 1:
            raise  # the others wait for this process, and would for ever
        result = assembly.failure(cell, error)
    # A cell's module, optimizer and accelerator refer to one another: without a collection they
    # would lie in memory beside the next cell's.
    gc.collect()
    report(result)
    if folder is not None:
        checkpoint.remove(folder)


def _train_cell(
    data: TextData,
    cell: Cell,
    start: Callable[[], Training],
    each_epoch: bool,
    folder: Path | None,
) -> CellResult:
    began = time.perf_counter()
    cost.forget_peak()

    def score(rows: IntArray, probabilities: Float32Array) -> Mapping[str, float]:
        return few_scores([data.labels[rows]], [probabilities])[0]

    training = start()
    trained = adapters.trained(training.module, training.config)
    result = fit(training, score, each_epoch=each_epoch, checkpoint=folder)
    metrics = {
        **scoring.score(data.labels[result.rows], result.probabilities, data.label_names),
        **result.facts,
        "seconds": time.perf_counter() - began,
        "peak_memory_mib": cost.peak_mib(),
        "parameters": float(trained),
    }
    return CellResult(
        key=cell.key,
        status="done",
        metrics=metrics,
        epochs=tuple(result.epochs),
        rows=result.rows,
        probabilities=result.probabilities,
        curves=result.curves,
    )


def measure(
    task: Task,
    cell: Cell,
    steps: int = 4,
    stack: int | Literal["auto"] = "auto",
    cells: int | None = None,
    clock: cost.Clock | None = None,
    each_epoch: bool = True,
) -> cost.Timing:
    """Time a few steps of a cell, the dearer first one apart.

    Args:
        task: Task of the cell.
        cell: Cell to time; nothing of its training is kept.
        steps: Number of steps to time.
        stack: Number of cells to train as one model.
        cells: Number of cells like it to be trained; a worker sizes no stacks for a few. None for
            many.
        clock: Time for the measurement; None takes as long as it needs.
        each_epoch: As `train_cells` is to be told.

    Raises:
        InputError: as `train_cells`.
    """
    data = checked_data(task)
    if Trainable.load(task.trainable).train is not None:
        return timing.timed(task, cell, clock)
    return measuring.measure(task, data, cell, steps, stack, _SIZER, cells, clock, each_epoch)
