"""200 cells of a small encoder: stacks of several sizes against one after another."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from throughput import (
    THREADS,
    TREC,
    TURNS,
    cells_of,
    in_turns,
    medians,
    need_trec,
    random_encoder,
    softtriple,
)
from throughput import task_of as task_with
from torch.profiler import ProfilerActivity, profile

from trainables.engine.cells import assembly, runner
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.stacking import trainer
from trainables.engine.training import loop

CELLS = int(os.environ.get("FOLDRACE_BENCH_STACKED", "200"))
SIZES = (4, 8, 16, 32, 64, 200)
STEPS = 12


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers, 128 wide, with a vocabulary of BERT's size."""
    from transformers import BertConfig

    patch = pytest.MonkeyPatch()
    need_trec(patch)
    config = BertConfig(
        hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512
    )
    folder = random_encoder(tmp_path_factory.mktemp("small"), config)
    patch.undo()
    return folder


def training(task: Task, cells: list[Cell]) -> loop.Training | trainer.StackTraining:
    """Cells ready to train, as the runner would make them."""
    data = load_data(TREC)
    members = [(cell, Trainable.load(task.trainable).bind(cell.config)) for cell in cells]
    if len(members) == 1:
        return assembly.training(task, data, *members[0])
    stack = assembly.stack(task, data, members)
    return trainer.StackTraining(stack.cells, stack.inputs, stack.labels)


def per_step(task: Task, cells: list[Cell]) -> dict[int, float]:
    """Seconds of a cell's step at each size, in turns."""
    found: dict[int, list[float]] = {}
    for size in SIZES:  # a pair at a time: 200 cells and all the others would fill the memory
        pair = {1: training(task, cells[:1]), size: training(task, cells[:size])}
        for one in pair.values():
            one.epoch(0, most_steps=2)
        steps = {1: 2 * STEPS, size: STEPS if size <= 64 else STEPS // 2}
        ways = {
            str(n): partial(one.epoch, 0, most_steps=min(steps[n], one.steps_per_epoch))
            for n, one in pair.items()
        }
        took = in_turns(ways, TURNS)
        for n, seconds in medians(took).items():
            done = min(steps[int(n)], pair[int(n)].steps_per_epoch)
            found.setdefault(int(n), []).append(seconds / done / int(n))
    return {size: float(np.median(values)) for size, values in found.items()}


def shares(task: Task, cells: list[Cell]) -> dict[str, float]:
    """Which operations the time of a stack's steps goes to, the largest first."""
    stack = training(task, cells)
    stack.epoch(0, most_steps=2)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        stack.epoch(0, most_steps=STEPS)
    of_name = {one.key: one.self_cpu_time_total for one in seen.key_averages()}
    whole = sum(of_name.values())
    largest = sorted(of_name, key=of_name.__getitem__, reverse=True)[:12]
    return {name: round(of_name[name] / whole, 3) for name in largest}


@pytest.mark.parametrize("batch_size", [16, 64])
def test_small_encoders_stacked_against_one_after_another(
    batch_size: int, small: Path, record: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    need_trec(monkeypatch)
    torch.set_num_threads(THREADS)
    task = task_with("triple_entropy", 4, str(small))
    config = softtriple(k=10, batch_size=batch_size, epochs=1)
    steps = per_step(task, cells_of(task, config, max(SIZES)))
    cells = cells_of(task, config, CELLS)
    best = min(steps, key=steps.__getitem__)
    chosen: dict[str, int | None] = {}

    def whole(stack: int | Literal["auto"]) -> Callable[[], None]:
        def way() -> None:
            done: list[str] = []
            chosen[str(stack)] = runner.train_cells(
                task, cells, lambda one: done.append(one.status), stack=stack
            )
            assert done == ["done"] * CELLS

        return way

    # The probe of "auto" is paid once in its time, as a worker pays it.
    ways: list[int | Literal["auto"]] = [1, best, "auto"]
    took = in_turns({str(size): whole(size) for size in ways}, 1)
    record(
        f"small encoders, batch {batch_size}",
        f"{CELLS} cells of 2 layers, 128 wide, stacked by {best} against one after another",
        took["1"][0] / took[str(best)][0],
        at_least=3.0,
        auto=took["1"][0] / took["auto"][0],
        auto_chose=chosen["auto"],
        ms_a_step_and_cell={size: 1e3 * value for size, value in steps.items()},
        ratio_by_size={size: steps[1] / value for size, value in steps.items()},
        threads=THREADS,
        seconds=took,
        shares_of_time={
            "one after another": shares(task, cells[:1]),
            f"stack of {best}": shares(task, cells[:best]),
        },
    )
