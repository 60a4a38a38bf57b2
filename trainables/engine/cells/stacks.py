"""Cells of a trial in stacks: each stack trains as one model."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

from accelerate.utils.memory import should_reduce_batch_size

from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.errors import DivergedError
from trainables.engine.models import adapters
from trainables.engine.stacking.fit_stack import fit_stack, let_go
from trainables.engine.text_data import TextData
from trainables.engine.training import cost, dropout, scoring
from trainables.engine.training.fit import Fit
from trainables.engine.training.scoring import few_scores

Member = tuple[Cell, TrainingConfig]
"""A cell and its Config."""


def grouped(
    task: Task, cells: Sequence[Cell], report: Callable[[CellResult], None]
) -> list[list[Member]]:
    """Group the cells that may share a stack.

    Each cell that trains alone is a group.

    Args:
        task: Task of the cells.
        cells: Cells of one trial.
        report: Called with the result of each cell whose config its trainable refuses.
    """
    trainable = Trainable.load(task.trainable)
    groups: dict[Hashable, list[Member]] = {}
    for number, cell in enumerate(cells):
        try:
            config = trainable.bind(cell.config)
        except Exception as error:  # whatever a trainable does, its neighbours go on
            report(assembly.failure(cell, error))
            continue
        key = trainable.stack_group(config)
        if trainable.estimator(config) is not None:
            key = "fitted"  # one after another; no network, so no stack
        groups.setdefault(("alone", number) if key is None else key, []).append((cell, config))
    return list(groups.values())


def train_stack(
    task: Task,
    data: TextData,
    members: Sequence[Member],
    report: Callable[[CellResult], None],
    compiled: bool = False,
    each_epoch: bool = True,
) -> list[Member]:
    """Train cells as one batched model; report each after its last epoch.

    Args:
        task: Task of the cells.
        data: Data of the task.
        members: Cells that may share a stack.
        report: Called with each result.
        compiled: Run the model through torch.compile; see `StackTraining`.
        each_epoch: Score after each epoch; see `fit_stack`.

    Returns:
        The cells for which memory was too small; empty in most cases.
    """
    reported: set[str] = set()

    def report_once(result: CellResult) -> None:
        reported.add(result.key)
        report(result)

    try:
        _train(task, data, members, report_once, compiled, each_epoch)
        return []
    except Exception as error:  # whatever a trainable does, other stacks go on
        let_go()
        left = [member for member in members if member[0].key not in reported]
        if should_reduce_batch_size(error) or dropout.draws_itself(error):
            return left
        for cell, _ in left:
            report(assembly.failure(cell, error))
    return []


def _train(
    task: Task,
    data: TextData,
    members: Sequence[Member],
    report: Callable[[CellResult], None],
    compiled: bool,
    each_epoch: bool,
) -> None:
    began = time.perf_counter()
    cost.forget_peak()
    stack = assembly.stack(task, data, members)
    trained = [adapters.trained(cell.module, cell.config) for cell in stack.cells]

    def finished(number: int, fit: Fit | DivergedError) -> None:
        cell = members[number][0]
        if isinstance(fit, DivergedError):
            report(CellResult(key=cell.key, status="diverged", error=str(fit)))
            return
        rows = fit.rows % len(data)  # where features are fitted, a cell has a table of its own
        metrics = {
            **scoring.score(data.labels[rows], fit.probabilities, data.label_names),
            **stack.facts,
            **fit.facts,
            # A cell's share of its stack: what it would have saved to be left out.
            "seconds": (time.perf_counter() - began) / len(members),
            "peak_memory_mib": cost.peak_mib(),
            "parameters": float(trained[number]),
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

    group = Trainable.load(task.trainable).stack_group(members[0][1])
    kind = (task.trainable, task.version, task.data_fingerprint, task.model_fingerprint, group)
    rows = (stack.cells, stack.inputs, stack.labels)
    fit_stack(*rows, finished, few_scores, compiled, kind, each_epoch)
