"""Cells of trainables that train a head on frozen features: always as stacks, even of one cell.

Such a trainable defines `representation(config)`, the features that it wants, beside VERSION,
Config and build(config, width, num_classes).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainables.engine import (
    binding,
    features,
    folds,
    loop,
    registry,
    representation,
    scoring,
    seeding,
    stack_loop,
)
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.cost import Timing
from trainables.engine.textdata import TextData

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def trains_heads(trainable: str) -> bool:
    """Whether a trainable's cells are heads on frozen features."""
    return registry.defines("trainables", trainable, "representation")


def _grouped(task: Task, cells: Sequence[Cell]) -> dict[tuple[Any, ...], list[tuple[Cell, Any]]]:
    """Cells by what a stack must share: features, batch size, schedule and precision."""
    wanted = registry.load("trainables", task.trainable, "representation")
    groups: dict[tuple[Any, ...], list[tuple[Cell, Any]]] = {}
    for cell in cells:
        config = binding.bind(task.trainable, cell.config)
        key = (wanted(config), config.batch_size, config.schedule, config.precision)
        groups.setdefault(key, []).append((cell, config))
    return groups


def _tables(
    task: Task, data: TextData, wanted: Any, members: Sequence[tuple[Cell, Any]]
) -> features.FeatureTables:
    blocks = [(cell.seed, cell.fold) for cell, _ in members]
    return features.tables(data, task.model, wanted, task.split, blocks)


def _heads(
    task: Task,
    data: TextData,
    members: Sequence[tuple[Cell, Any]],
    tables: features.FeatureTables,
) -> list[stack_loop.HeadCell]:
    width = tables.values.shape[1]
    build = registry.load("trainables", task.trainable, "build")
    heads = []
    for cell, config in members:
        with seeding.drawing_from(cell.seed, "init"):
            module = build(config, width, len(data.label_names))
        train, held_out = folds.held_out(data, task.split, cell.seed, cell.fold)
        offset = tables.offsets[cell.seed, cell.fold]
        heads.append(stack_loop.HeadCell(module, config, cell.seed, train, held_out, offset))
    return heads


def make_features(
    task: Task, data: TextData, configs: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    """Make the features that configs want and that lie on disk, with all cores, before the cells.

    Args:
        task: What the cells share.
        data: Its data.
        configs: Complete configs.

    Returns:
        What each extraction had to report, and its seconds, by representation.
    """
    wanted = registry.load("trainables", task.trainable, "representation")
    distinct = dict.fromkeys(wanted(binding.bind(task.trainable, one)) for one in configs)
    found = {}
    for one in distinct:
        if not isinstance(representation.card(one.name), representation.Fitted):
            made = features.made(data, task.model, one)
            found[one.name] = {**made.facts, "seconds": made.seconds}
    return found


def train(
    task: Task,
    data: TextData,
    cells: Sequence[Cell],
    report: Callable[[CellResult], None],
    peak_mib: Callable[[], float],
) -> None:
    """Train cells as stacks and report each at the end of its last epoch.

    Args:
        task: What the cells share.
        data: Its data.
        cells: Of one shape.
        report: Called with each result.
        peak_mib: Memory used at most so far.
    """
    for (wanted, *_), members in _grouped(task, cells).items():
        began = time.perf_counter()
        tables = _tables(task, data, wanted, members)
        heads = _heads(task, data, members, tables)

        def finished(
            number: int,
            fit: loop.Fit | loop.DivergedError,
            members: list[tuple[Cell, Any]] = members,
            began: float = began,
            facts: Mapping[str, float] = tables.facts,
        ) -> None:
            cell = members[number][0]
            if isinstance(fit, loop.DivergedError):
                report(CellResult(key=cell.key, status="diverged", error=str(fit)))
                return
            metrics = {
                **scoring.score(data.labels[fit.rows], fit.probabilities, data.label_names),
                **facts,
                # A cell's share of its stack: what it would have saved to be left out.
                "seconds": (time.perf_counter() - began) / len(members),
                "peak_memory_mib": peak_mib(),
            }
            report(
                CellResult(
                    key=cell.key,
                    status="done",
                    metrics=metrics,
                    epochs=tuple(fit.epochs),
                    rows=fit.rows,
                    probabilities=fit.probabilities,
                )
            )

        stack_loop.fit_stack(heads, tables.values, data.labels, _few, finished)


def _few(labels: list[Rows], probabilities: list[Floats]) -> list[dict[str, float]]:
    """Loss, accuracy and macro F1 of many cells after an epoch.

    As `scoring.score` gives them, but for all cells at once: at a few milliseconds a cell the
    scores would take longer than the training.
    """
    sizes = np.array([len(one) for one in labels])
    classes = probabilities[0].shape[1]
    cell = np.repeat(np.arange(len(sizes)), sizes)
    true, given = np.concatenate(labels), np.concatenate(probabilities)
    predicted = given.argmax(axis=1)
    counts = np.zeros((len(sizes), classes, classes))
    np.add.at(counts, (cell, true, predicted), 1)
    right = np.einsum("mcc->mc", counts)
    either = counts.sum(axis=1) + counts.sum(axis=2)
    present = either > 0
    f1 = np.divide(2 * right, either, out=np.zeros_like(right), where=present)
    own = np.maximum(given[np.arange(len(true)), true].astype(float), np.finfo(np.float32).eps)
    losses = np.bincount(cell, -np.log(own)) / sizes
    return [
        {
            "loss": float(losses[i]),
            "accuracy": float(right[i].sum() / sizes[i]),
            "macro_f1": float(f1[i].sum() / present[i].sum()),
        }
        for i in range(len(sizes))
    ]


def measure(task: Task, data: TextData, cell: Cell, steps: int, stack: int) -> Timing:
    """Time a few steps of a stack of so many copies of a cell; a cell's share of it.

    Args:
        task: What cells share.
        data: Its data.
        cell: The cell.
        steps: Steps to time.
        stack: Cells that are trained together.
    """
    ((wanted, *_), members), *_ = _grouped(task, [cell] * stack).items()
    tables = _tables(task, data, wanted, members)
    began = time.perf_counter()
    heads = _heads(task, data, members, tables)
    training = stack_loop.StackTraining(heads, tables.values, data.labels)
    start = time.perf_counter() - began
    training.epoch(0, most_steps=1)
    per_epoch = int(training.steps[0]) // members[0][1].epochs
    began = time.perf_counter()
    training.epoch(0, most_steps=steps)
    per_step = (time.perf_counter() - began) / min(steps, per_epoch) / stack
    began = time.perf_counter()
    training.predict()
    scoring_s = (time.perf_counter() - began) / stack
    total = int(training.steps[0])
    seconds = start / stack + total * per_step + members[0][1].epochs * scoring_s
    return Timing(per_step, total, seconds)
