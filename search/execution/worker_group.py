"""A trial trained by several processes: a Ray Train worker group.

Each worker runs the same code on the same cells; Accelerate finds the group in the environment and
wraps the model (DistributedDataParallel, or FSDP for models that do not fit one GPU). Starting a
group costs some 30 s, so a trial of this kind takes minutes of cells. A group that loses a worker
ends: its cells come back, and a cell goes on at its last saved epoch.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.errors import FoldraceError
from search.execution.cell_timeout import CellClock
from search.execution.plugin import load_text
from search.execution.stack_text import unpacked
from search.process import launchers, own_code
from search.spec.sweep_spec import Resources
from trainables.engine.contract import CellResult, Task

SECONDS_PER_STACK = 300.0


def train(cells: str, shared: Mapping[str, Any], resources: Resources, gpus: float) -> None:
    """Start a trial's group and pass its reports to Tune.

    Args:
        cells: Text of the trial's cells.
        shared: Values that all trials share: task, plugin, checkpoints, compiled, each_epoch,
            threads.
        resources: Limits of a trial; CPUs are each worker's.
        gpus: GPUs of each worker.

    Raises:
        ray.train.TrainingFailedError: if a worker was lost or a cell raised.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    def refuse(text: str) -> None:
        raise RuntimeError(text)

    carried = own_code.carried(
        "search.execution.worker_group:work", refuse, same_machine=resources.ray_address == "local"
    )

    def start(settings: Mapping[str, Any]) -> None:  # Ray Train counts parameters
        carried(settings)

    per_worker = {"CPU": resources.cpus_per_trial, **({"GPU": gpus} if gpus else {})}
    with tempfile.TemporaryDirectory(prefix="foldrace-group-") as storage:
        trainer = TorchTrainer(
            start,
            train_loop_config={
                **shared,
                "cells": cells,
                "fsdp": resources.fsdp,
                "minutes": resources.max_cell_minutes,
            },
            scaling_config=ScalingConfig(
                num_workers=resources.workers_per_trial,
                use_gpu=gpus > 0,
                resources_per_worker=per_worker,
            ),
            run_config=RunConfig(
                name="group",
                storage_path=storage,
                callbacks=[TuneReportCallback()],  # type: ignore[list-item]
                # The dispatcher knows which cells are left; a new group here would not.
                failure_config=FailureConfig(  # type: ignore[call-arg]
                    max_failures=0, max_preemption_failures=0
                ),
            ),
        )
        trainer.fit()


def work(settings: Mapping[str, Any]) -> None:
    """Train the cells inside each worker, all in the same order.

    All workers report a cell together.
    """
    launchers.forget(group=True)
    if settings["fsdp"]:
        os.environ.update(
            ACCELERATE_USE_FSDP="true", FSDP_VERSION="2", FSDP_RESHARD_AFTER_FORWARD="true"
        )
    import torch
    from ray import train

    from trainables.engine.cells import runner
    from trainables.engine.training import checkpoint

    task = Task.from_json(settings["task"])
    fault = None
    try:
        load_text(settings["plugin"])
        runner.load(task)
    except FoldraceError as error:
        fault = f"{type(error).__name__}: {error}"
    faults: list[str | None] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(faults, fault)
    if found := [item for item in faults if item is not None]:
        train.report({"refused": found[0]})
        return

    cells = unpacked(settings["cells"])
    clock = CellClock(settings["minutes"], len(cells))
    clock.start()

    def report(result: CellResult) -> None:
        clock.came_in(result)
        # All workers must call, and the first one's report counts.
        train.report({"cells": json.dumps([result.to_json()])})

    runner.train_cells(
        task,
        cells,
        report,
        stack=1,
        threads=settings["threads"],
        compiled=settings["compiled"],
        each_epoch=settings["each_epoch"],
        checkpoints=checkpoint.on_this_node(Path(settings["checkpoints"])),
    )
    clock.stop()
