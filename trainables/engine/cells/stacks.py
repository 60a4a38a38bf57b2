"""Cells of one trial as stacks: grouped by shape, sized by a probe, trained as one model each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from accelerate.utils.memory import should_reduce_batch_size

from trainables.engine.cells import assembly, sizing
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.errors import DivergedError
from trainables.engine.stacking import trainer
from trainables.engine.stacking.fit_stack import fit_stack
from trainables.engine.text_data import TextData
from trainables.engine.training import cost, dropout, loop, scoring
from trainables.engine.training.fit import Fit
from trainables.engine.training.scoring import few_scores

# A cell and its Config.
Member = tuple[Cell, TrainingConfig]

# Heads are timed in a stack of so many: alone, a head would pay for what a stack shares.
_HEADS_MEASURED = 32
_STEPS_PROBED = 3
_PROBED_SHARE = 0.6  # of the time for measuring: for finding the size of a stack
_FORWARD = 1 / 3  # of a step: scoring needs no gradients


def grouped(
    task: Task, cells: Sequence[Cell], report: Callable[[CellResult], None]
) -> list[list[Member]]:
    """Cells by what a stack must share; those that train alone in groups of one.

    Args:
        task: What the cells share.
        cells: Of one trial.
        report: Told of each cell whose config its trainable refuses.
    """
    trainable = Trainable.load(task.trainable)
    groups: dict[Hashable, list[Member]] = {}
    for number, cell in enumerate(cells):
        try:
            config = trainable.bind(cell.config)
        except Exception as error:  # whatever a trainable does, its neighbours go on
            report(assembly.failed(cell, error))
            continue
        key = trainable.stack_group(config)
        groups.setdefault(("alone", number) if key is None else key, []).append((cell, config))
    return list(groups.values())


def size(
    task: Task, data: TextData, members: Sequence[Member], wanted: int | Literal["auto"]
) -> int | None:
    """How many of a group's cells to train as one model; None where that is not known yet.

    Args:
        task: What the cells share.
        data: Its data.
        members: Cells that may share a stack.
        wanted: A number, or "auto" for what a probe finds fastest, once this process has trained
            for so long that a probe is a small part of it.
    """
    _, config = members[0]
    trainable = Trainable.load(task.trainable)
    if trainable.representation(config) is not None:
        return len(members) if wanted == "auto" else wanted
    if wanted != "auto":
        return 1 if config.precision == "fp16" else min(wanted, sizing.most())
    if config.precision == "fp16" or trainable.stack_group(config) is None:
        return 1
    steps = _steps_per_epoch(task, data, members[0])
    due = sizing.due(_kind(task, config), steps * sum(one.epochs for _, one in members))
    if not due or len(members) == 1:
        return None
    return _probed(task, data, members[0]).cells


def _worth_a_probe(task: Task, data: TextData, member: Member, cells: int | None) -> bool:
    """Whether a worker that trains so many cells like this one comes to size stacks for them."""
    steps = _steps_per_epoch(task, data, member) * member[1].epochs
    return cells is None or sizing.worth(_kind(task, member[1]), steps * cells)


def _steps_per_epoch(task: Task, data: TextData, member: Member) -> int:
    cell, config = member
    return math.ceil(len(assembly.rows(task, data, cell)[0]) / config.batch_size)


def _kind(task: Task, config: TrainingConfig) -> Hashable:
    """Equal for cells of one cost."""
    shape = Trainable.load(task.trainable).stack_group(config)
    return (task.trainable, task.data_fingerprint, task.model_fingerprint, shape)


def _probed(
    task: Task, data: TextData, member: Member, clock: cost.Clock | None = None
) -> sizing.Size:
    """What a probe finds fastest for cells like this one, in the time that a clock leaves it."""
    cell, config = member
    clock = clock or cost.Clock()

    def seconds(many: int) -> float:
        training: trainer.StackTraining | loop.Training
        if many == 1:
            training = assembly.alone(task, data, cell, config)
        else:
            training = _copies(task, data, member, many)
        return _seconds_per_step(training, _STEPS_PROBED, clock) / many

    def fits() -> int:
        training = assembly.alone(task, data, cell, config)
        return sizing.free_bytes() // sizing.cell_bytes(training.module, training.largest_loss)

    # The next size takes longer than all before it together.
    return sizing.pick(_kind(task, config), seconds, fits, over=lambda: clock.left < clock.spent)


def _copies(task: Task, data: TextData, member: Member, many: int) -> trainer.StackTraining:
    """The training of a stack of copies of a cell."""
    stack = assembly.stack(task, data, [member] * many)
    return trainer.StackTraining(stack.cells, stack.inputs, stack.labels)


def _seconds_per_step(
    training: trainer.StackTraining | loop.Training, steps: int, clock: cost.Clock
) -> float:
    """Of a few steps, after one that pays for what later ones reuse.

    Where the time is over after the first one it has to do: it is dearer than those that follow.
    """
    began = time.perf_counter()
    training.epoch(0, most_steps=1)
    first = time.perf_counter() - began
    taken = int(min(steps, training.steps_per_epoch, clock.left / max(first, 1e-6)))
    if taken < 1:
        return first
    began = time.perf_counter()
    training.epoch(0, most_steps=taken)
    return (time.perf_counter() - began) / taken


def train(
    task: Task,
    data: TextData,
    members: Sequence[Member],
    report: Callable[[CellResult], None],
    compiled: bool = False,
) -> list[Member]:
    """Train cells as one batched model and report each at the end of its last epoch.

    Args:
        task: What the cells share.
        data: Its data.
        members: Cells that may share a stack.
        report: Called with each result.
        compiled: See `stack_training.StackTraining`.

    Returns:
        The cells for which the memory was too small; empty in most cases.
    """
    told: set[str] = set()

    def tell(result: CellResult) -> None:
        told.add(result.key)
        report(result)

    try:
        _train(task, data, members, tell, compiled)
        return []
    except Exception as error:  # whatever a trainable does, other stacks go on
        left = [member for member in members if member[0].key not in told]
        if not should_reduce_batch_size(error) and not dropout.draws_itself(error):
            for cell, _ in left:
                report(assembly.failed(cell, error))
            return []
    return left


def _train(
    task: Task,
    data: TextData,
    members: Sequence[Member],
    report: Callable[[CellResult], None],
    compiled: bool,
) -> None:
    began = time.perf_counter()
    cost.forget_peak()
    stack = assembly.stack(task, data, members)

    def finished(number: int, fit: Fit | DivergedError) -> None:
        cell = members[number][0]
        if isinstance(fit, DivergedError):
            report(CellResult(key=cell.key, status="diverged", error=str(fit)))
            return
        rows = fit.rows % len(data)  # of its own table
        metrics = {
            **scoring.score(data.labels[rows], fit.probabilities, data.label_names),
            **stack.facts,
            **fit.facts,
            # A cell's share of its stack: what it would have saved to be left out.
            "seconds": (time.perf_counter() - began) / len(members),
            "peak_memory_mib": cost.peak_mib(),
        }
        report(
            CellResult(
                key=cell.key,
                status="done",
                metrics=metrics,
                epochs=tuple(fit.epochs),
                rows=rows,
                probabilities=fit.probabilities,
            )
        )

    fit_stack(stack.cells, stack.inputs, stack.labels, finished, few_scores, compiled)


def measure(
    task: Task,
    data: TextData,
    cell: Cell,
    steps: int,
    stack: int | Literal["auto"],
    cells: int | None = None,
    clock: cost.Clock | None = None,
) -> cost.Timing:
    """Time a few steps of a cell, or its share of a stack of copies, whichever would be trained.

    Args:
        task: What cells share.
        data: Its data.
        cell: The cell; nothing of it is kept.
        steps: Steps to time.
        stack: Cells a stack, as the user asked.
        cells: How many like this one there are to train, or None for many.
        clock: How long to measure; None for as long as it takes.
    """
    clock = clock or cost.Clock()
    trainable = Trainable.load(task.trainable)
    config = trainable.bind(cell.config)
    heads = trainable.representation(config) is not None
    stacks = trainable.stack_group(config) is not None and config.precision != "fp16"
    many = 1
    if heads:
        many = _HEADS_MEASURED
    elif stacks and stack != "auto":
        many = stack
    elif stacks and _worth_a_probe(task, data, (cell, config), cells):
        many = _probed(task, data, (cell, config), clock.share(_PROBED_SHARE)).cells
    began = time.perf_counter()
    training: trainer.StackTraining | loop.Training
    if many == 1:
        training = assembly.alone(task, data, cell, config)
    else:
        training = _copies(task, data, (cell, config), many)
    start = (time.perf_counter() - began) / many
    per_step = _seconds_per_step(training, steps, clock) / many
    held_out = len(assembly.rows(task, data, cell)[1])
    scoring_s = per_step * _FORWARD * math.ceil(held_out / config.batch_size)
    if scoring_s * many < clock.left:
        began = time.perf_counter()
        training.predict()
        scoring_s = (time.perf_counter() - began) / many
    total = training.steps_per_epoch * config.epochs
    seconds = start + total * per_step + config.epochs * scoring_s
    return cost.Timing(per_step, total, seconds, many)
