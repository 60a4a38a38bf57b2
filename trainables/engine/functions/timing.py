"""Time of a cell, trained in a process that can be ended."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path
from typing import Any

from trainables.engine import registry
from trainables.engine.contract import Cell, Task
from trainables.engine.training.cost import Clock, Timing

_LONGEST_S = 20.0


def timed(task: Task, cell: Cell, clock: Clock | None) -> Timing:
    """Time one cell, for so long as there is time.

    Args:
        task: Task of the cell.
        cell: Cell to train; nothing of it is kept.
        clock: Time that may be spent; None for 20 s.
    """
    limit = _LONGEST_S if clock is None else max(1.0, min(_LONGEST_S, clock.left))
    file = registry.source("trainables", task.trainable)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_train, args=(str(file), task.to_json(), cell, theirs))
    child.start()
    theirs.close()
    seconds = limit
    try:
        # Its imports and the reading of the data are told apart from the training.
        if ours.poll(60.0) and ours.recv() == "ready":
            began = time.perf_counter()
            seconds = float(ours.recv()) if ours.poll(limit) else time.perf_counter() - began
    except (EOFError, OSError):
        pass  # the function ended its process: the sweep will say so
    finally:
        child.kill()
        child.join()
    return Timing(seconds, 1, seconds)


def _train(file: str, task: dict[str, Any], cell: Cell, answers: Any) -> None:
    """Train the cell, in a process of its own."""
    from trainables.engine.datasets.load import load_data
    from trainables.engine.functions.cells import train_cells
    from trainables.engine.functions.declaration import train_of

    registry.register_plugin(Path(file))
    whole = Task.from_json(task)
    function = train_of(registry.entry("trainables", whole.trainable))
    data = load_data(whole.data)
    answers.send("ready")
    began = time.perf_counter()
    if function is not None:
        train_cells(whole, function, data, [cell], lambda result: None)
    answers.send(time.perf_counter() - began)
