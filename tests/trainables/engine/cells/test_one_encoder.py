"""Cells of a stack share one encoder until it is on the device; their heads are their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, Task
from trainables.engine.datasets.load import load_data
from trainables.engine.stacking.module import stacked
from trainables.engine.stacking.trainer import StackTraining

SEEDS = (2, 16, 7)


class Moved(TorchDispatchMode):
    """Counts the values that are copied to another device; meta stands for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ == "_to_copy" and made.device != args[0].device:
            self.values += made.numel()
        return made


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("triple_entropy", tiny_encoder, reviews)


def stack_of(task: Task) -> assembly.StackData:
    trainable = Trainable.load(task.trainable)
    cells = [
        Cell(key=str(seed), config=config("triple_entropy"), seed=seed, fold=0) for seed in SEEDS
    ]
    members = [(cell, trainable.bind(cell.config)) for cell in cells]
    return assembly.stack(task, load_data(task.data), members)


def test_an_encoder_goes_to_the_device_once_and_each_head_is_drawn_as_alone(task: Task) -> None:
    stack = stack_of(task)
    modules = [cell.module for cell in stack.cells]
    every = [dict(module.named_parameters()) for module in modules]
    of_encoder = {name for name in every[0] if name.startswith("encoder.")}
    assert of_encoder < set(every[0])
    for name in every[0]:
        first, *others = (own[name] for own in every)
        if name in of_encoder:
            assert all(other is first for other in others), name
        elif first.any():  # a bias begins at 0
            assert not any(torch.equal(other, first) for other in others), name
    for cell, own in zip(stack.cells, every, strict=True):
        alone = assembly.module(task, load_data(task.data), cell.config, cell.seed, cell.train)
        for name, parameter in alone.named_parameters():
            assert torch.equal(parameter, own[name]), name
    with Moved() as moved:
        there = [stacked([own[name] for own in every], torch.device("meta")) for name in every[0]]
    assert [len(values) for values in there] == [len(SEEDS)] * len(every[0])
    one = sum(every[0][name].numel() for name in of_encoder)
    heads = sum(p.numel() for own in every for name, p in own.items() if name not in of_encoder)
    assert moved.values == one + heads


def test_scoring_comes_to_the_host_once(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    stack = stack_of(task)
    training = StackTraining(stack.cells, stack.inputs, stack.labels)
    training.batch_size = 5
    copies: list[int] = []
    copied = Tensor.cpu

    def counted(tensor: Tensor, *given: Any) -> Tensor:
        copies.append(tensor.numel())
        return copied(tensor, *given)

    steps: list[str] = []
    run = training.recorded.run
    monkeypatch.setattr(Tensor, "cpu", counted)
    monkeypatch.setattr(
        training.recorded, "run", lambda kind, *given: (steps.append(kind), run(kind, *given))[1]
    )
    training.predict()
    assert len(steps) > 1, "several batches"
    assert len(copies) == 1
