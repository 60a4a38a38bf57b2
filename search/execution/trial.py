"""Inside a trial: train its stack of cells and report each; one process, or a group of workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray import tune

from search.errors import FoldraceError
from search.execution import worker_group
from search.execution.cell_timeout import CellClock
from search.execution.plugin import Plugin, load_text
from search.execution.report_buffer import ReportBuffer
from search.process import environment, launchers
from search.spec import Resources
from trainables.engine.contract import Cell, CellResult, Task


def train(
    config: Mapping[str, Any],
    task: Mapping[str, Any],
    plugin: Plugin | None,
    checkpoints: str,
    resources: Mapping[str, Any],
    gpus: float,
) -> None:
    """The function trainable: trains its stack and reports its cells as it has them.

    Args:
        config: The trial's own: JSON of its cells.
        task: A `contract.Task` as JSON.
        plugin: The user's Python file.
        checkpoints: Folder of the epochs of unfinished cells, as the driver has it.
        resources: A `spec.Resources` as JSON.
        gpus: Of this trial, or of each of its workers.
    """
    launchers.forget()
    from trainables.engine.cells import runner
    from trainables.engine.training import checkpoint

    may_use = Resources(**resources)
    threads = environment.threads(may_use.cpus_per_trial)
    shared = {
        "task": task,
        "plugin": plugin,
        "checkpoints": checkpoints,
        "compiled": may_use.compiled,
        "threads": threads,
    }
    if may_use.workers_per_trial > 1:
        worker_group.train(config["cells"], shared, may_use, gpus)
        return
    load_text(plugin)
    cells = [Cell(**cell) for cell in json.loads(config["cells"])]
    reports = ReportBuffer(lambda cells: tune.report({"cells": cells}))
    clock = CellClock(may_use.max_cell_minutes, len(cells))

    def came_in(result: CellResult) -> None:
        clock.came_in(result)
        reports.add(result)

    try:
        best = runner.train_cells(
            Task.from_json(task),
            cells,
            came_in,
            stack=may_use.stack,
            compiled=may_use.compiled,
            threads=threads,
            checkpoints=checkpoint.on_this_node(Path(checkpoints)),
        )
        reports.send()
        if best is not None:
            tune.report({"together": best})
    except FoldraceError as error:
        # Data or weights changed, or vanished, on this node: every other trial would fail too.
        tune.report({"refused": f"{type(error).__name__}: {error}"})
    finally:
        clock.stop()
