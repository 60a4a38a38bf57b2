"""Inside a trial: trains a stack of cells and reports each.

One process does it, or a group of workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune

from search.errors import FoldraceError
from search.execution import worker_group
from search.execution.cell_timeout import CellClock
from search.execution.plugin import Plugin, load_text
from search.execution.report_buffer import ReportBuffer
from search.execution.stack_text import unpacked
from search.process import environment, launchers
from search.spec.sweep_spec import Resources
from trainables.engine.contract import CellResult, Task


def train(
    config: Mapping[str, Any],
    task: Mapping[str, Any],
    plugin: Plugin | None,
    checkpoints: str,
    resources: Mapping[str, Any],
    gpus: float,
) -> None:
    """Train a trial's stack and report its cells as they finish.

    Args:
        config: Config of the trial: text of its cells.
        task: A `contract.Task` as JSON.
        plugin: Name and text of the user's Python file.
        checkpoints: Folder of the driver for the epochs of unfinished cells.
        resources: A `spec.Resources` as JSON.
        gpus: GPUs of this trial, or of each of its workers.
    """
    launchers.forget()
    from trainables.engine.cells import runner, sizing
    from trainables.engine.training import checkpoint

    limits = Resources(**resources)
    threads = environment.threads(limits.cpus_per_trial)
    shared = {
        "task": task,
        "plugin": plugin,
        "checkpoints": checkpoints,
        "compiled": limits.compiled,
        "each_epoch": limits.epoch_scores == "each",
        "threads": threads,
    }
    if limits.workers_per_trial > 1:
        worker_group.train(config["cells"], shared, limits, gpus)
        return
    sizing.take_share(gpus)
    load_text(plugin)
    cells = unpacked(config["cells"])
    reports = ReportBuffer(lambda cells: tune.report({"cells": cells}))
    clock = CellClock(limits.max_cell_minutes, len(cells))

    def finished(result: CellResult) -> None:
        clock.came_in(result)
        reports.add(result)

    try:
        described = Task.from_json(task)
        runner.load(described)
        clock.start()
        best = runner.train_cells(
            described,
            cells,
            finished,
            stack=limits.stack,
            compiled=limits.compiled,
            each_epoch=limits.epoch_scores == "each",
            threads=threads,
            checkpoints=checkpoint.on_this_node(Path(checkpoints)),
        )
        reports.send()
        if best is not None:
            tune.report({"stack_size": best})
    except FoldraceError as error:
        # Data or weights changed, or vanished, on this node: every other trial would fail too.
        tune.report({"refused": f"{type(error).__name__}: {error}"})
    finally:
        clock.stop()
