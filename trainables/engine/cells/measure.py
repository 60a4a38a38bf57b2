"""Times a few steps of a cell, for stack sizes and prices."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from typing import Literal

import torch

from trainables.engine.cells import assembly, estimator
from trainables.engine.cells.sizing import Sizer, cell_bytes, free_bytes
from trainables.engine.cells.stacks import Member
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, Task
from trainables.engine.models import pretrained
from trainables.engine.stacking.fit_stack import let_go
from trainables.engine.stacking.trainer import StackTraining
from trainables.engine.text_data import TextData
from trainables.engine.training import distributed
from trainables.engine.training.cost import Clock, Timing
from trainables.engine.training.loop import Training

# Heads are timed in a stack of this size: alone, a head would pay for what a stack shares.
_HEADS_MEASURED = 32
_STEPS_PROBED = 3
_PROBED_SHARE = 0.6  # of the time for measuring: to find the size of a stack
_FORWARD = 1 / 3  # of a step: scoring needs no gradients
# Cells of a stack on a GPU before a probe has told more: few for a GPU, many for Python.
FIRST_ON_GPU = 8
# Operations of an epoch that a GPU does in seconds: too short to be saved, so that a cell alone
# loses nothing as a recorded stack of one, which Python does not slow down.
_SHORT_EPOCH = 3e15


def stack_size(
    task: Task,
    data: TextData,
    members: Sequence[Member],
    requested: int | Literal["auto"],
    sizer: Sizer,
) -> int | None:
    """Choose the stack size of a group; None while none is known.

    Args:
        task: Task of the cells.
        data: Data of the task.
        members: Cells that may share a stack.
        requested: Size of a stack, or "auto" for the fastest one, probed once this process has
            trained for so long that a probe is a small part of it.
        sizer: Sizes known in this process.
    """
    _, config = members[0]
    trainable = Trainable.load(task.trainable)
    if trainable.representation(config) is not None:
        return len(members) if requested == "auto" else requested
    if requested != "auto":
        return 1 if config.precision == "fp16" else min(requested, sizer.most)
    if config.precision == "fp16" or trainable.stack_group(config) is None:
        return 1
    steps = _steps_per_epoch(task, data, members[0])
    due = sizer.is_due(_kind(task, config), steps * sum(config.epochs for _, config in members))
    if not due or len(members) == 1:
        return None
    return _fastest_size(task, data, members[0], sizer, Clock())


def records(task: Task, data: TextData, member: Member) -> bool:
    """Tell if a recorded stack of one trains a cell faster.

    Args:
        task: Task of the cell.
        data: Data of the task.
        member: Cell with its Config.
    """
    cell, config = member
    trainable = Trainable.load(task.trainable)
    if not torch.cuda.is_available() or distributed.processes() > 1:
        return False
    if trainable.stack_group(config) is None or config.precision == "fp16":
        return False
    if trainable.base is not None or trainable.representation(config) is not None:
        return False
    train = assembly.rows(task, data, cell)[0]
    lengths = assembly.tokens(task, data, config).lengths
    weights = sum(p.numel() for p in pretrained.load_encoder(task.model).parameters())
    return 6 * weights * int(lengths[train].sum()) < _SHORT_EPOCH


def measure(
    task: Task,
    data: TextData,
    cell: Cell,
    steps: int,
    requested: int | Literal["auto"],
    sizer: Sizer,
    cells: int | None = None,
    clock: Clock | None = None,
    each_epoch: bool = True,
) -> Timing:
    """Time some steps of a cell, or its share of a stack.

    Args:
        task: Task of the cell.
        data: Data of the task.
        cell: Cell to time; nothing of its training is kept.
        steps: Number of steps to time.
        requested: Size of a stack, or "auto".
        sizer: Sizes known in this process.
        cells: Number of cells like this one to be trained; None for many.
        clock: Time for the measurement; None takes as long as it needs.
        each_epoch: True for cells that are scored after each epoch.
    """
    clock = clock or Clock()
    trainable = Trainable.load(task.trainable)
    config = trainable.bind(cell.config)
    if trainable.estimator(config) is not None:
        seconds = estimator.seconds(task, data, cell, config)
        return Timing(seconds, 1, seconds, 1)
    member = (cell, config)
    stacks = trainable.stack_group(config) is not None and config.precision != "fp16"
    size = 1
    if trainable.representation(config) is not None:
        size = _HEADS_MEASURED
    elif stacks and requested != "auto":
        size = requested
    elif stacks and _probe_pays_off(task, data, member, cells, sizer):
        size = _fastest_size(task, data, member, sizer, clock.share(_PROBED_SHARE))
    elif stacks and requested == "auto" and records(task, data, member):
        size = min(FIRST_ON_GPU, cells or FIRST_ON_GPU)  # as a worker begins
    began = time.perf_counter()
    training = _copies(task, data, member, size)
    start = (time.perf_counter() - began) / size
    per_step = _seconds_per_step(training, steps, clock) / size
    held_out = len(assembly.rows(task, data, cell)[1])
    scoring = per_step * _FORWARD * math.ceil(held_out / config.batch_size)
    if scoring * size < clock.left:
        began = time.perf_counter()
        training.predict()
        scoring = (time.perf_counter() - began) / size
    total = training.steps_per_epoch * config.epochs
    each = each_epoch or trainable.inner_share(config) > 0
    seconds = start + total * per_step + (config.epochs if each else 1) * scoring
    return Timing(per_step, total, seconds, size)


def _probe_pays_off(
    task: Task, data: TextData, member: Member, cells: int | None, sizer: Sizer
) -> bool:
    """Tell if enough cells follow for a stack-size probe to pay off."""
    steps = _steps_per_epoch(task, data, member) * member[1].epochs
    return cells is None or sizer.pays_off(_kind(task, member[1]), steps * cells)


def _steps_per_epoch(task: Task, data: TextData, member: Member) -> int:
    cell, config = member
    return math.ceil(len(assembly.rows(task, data, cell)[0]) / config.batch_size)


def _kind(task: Task, config: TrainingConfig) -> Hashable:
    """Key that is equal for cells of one cost."""
    shape = Trainable.load(task.trainable).stack_group(config)
    return (task.trainable, task.data_fingerprint, task.model_fingerprint, shape)


def _fastest_size(task: Task, data: TextData, member: Member, sizer: Sizer, clock: Clock) -> int:
    """Probe the fastest stack size, in the time that a clock leaves."""

    def seconds(size: int) -> float:
        return _seconds_per_step(_copies(task, data, member, size), _STEPS_PROBED, clock) / size

    def fits() -> int:
        training = assembly.training(task, data, *member)
        return free_bytes() // cell_bytes(training.module, training.largest_loss)

    # The next size takes longer than all before it together.
    over = lambda: clock.left < clock.spent  # noqa: E731
    return sizer.pick(_kind(task, member[1]), seconds, fits, over).cells


def _copies(task: Task, data: TextData, member: Member, size: int) -> StackTraining | Training:
    """Assemble copies of a cell as a stack; size 1 trains alone."""
    let_go()
    if size == 1 and not records(task, data, member):
        return assembly.training(task, data, *member)
    stack = assembly.stack(task, data, [member] * size)
    return StackTraining(stack.cells, stack.inputs, stack.labels)


def _seconds_per_step(training: StackTraining | Training, steps: int, clock: Clock) -> float:
    """Time a few steps, after a first one that is dearer.

    Where the time is over after the first step, its own time has to do: it is dearer than those
    that follow.
    """
    began = time.perf_counter()
    training.epoch(0, most_steps=1)
    first = time.perf_counter() - began
    if isinstance(training, StackTraining) and training.recorded.records:
        training.epoch(0, most_steps=steps)  # records what is timed below
        began = time.perf_counter()
        training.epoch(0, most_steps=1)
        first = time.perf_counter() - began
    steps = int(min(steps, training.steps_per_epoch, clock.left / max(first, 1e-6)))
    if steps < 1:
        return first
    began = time.perf_counter()
    training.epoch(0, most_steps=steps)
    return (time.perf_counter() - began) / steps
