"""A GPU trains a short cell alone as a recorded stack of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.factories import config
from tests.trainables.tasks import task_of_reviews
from trainables.engine.cells import measure
from trainables.engine.cells.sizing import Sizer
from trainables.engine.cells.trainable import Trainable
from trainables.engine.contract import Cell, Task
from trainables.engine.datasets.load import load_data


@pytest.fixture
def task(reviews: Path, tiny_encoder: Path) -> Task:
    return task_of_reviews("triple_entropy", tiny_encoder, reviews)


def _records(task: Task, **change: Any) -> bool:
    given = config("triple_entropy", **change)
    cell = Cell(key="a", config=given, seed=2, fold=0)
    member = (cell, Trainable.load(task.trainable).bind(given))
    return measure.records(task, load_data(task.data), member)


def test_on_a_gpu_alone(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not _records(task)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert _records(task)


def test_not_in_fp16_nor_where_an_epoch_is_long_enough_to_be_saved(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not _records(task, precision="fp16")
    monkeypatch.setattr(measure, "_SHORT_EPOCH", 1.0)
    assert not _records(task)


@pytest.mark.parametrize(("cells", "together"), [(20, measure.FIRST_ON_GPU), (3, 3)])
def test_few_cells_on_a_gpu_are_timed_in_the_stack_that_a_worker_begins_with(
    task: Task, cells: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "records", lambda *_: True)
    cell = Cell(key="a", config=config("triple_entropy"), seed=2, fold=0)
    data = load_data(task.data)
    timing = measure.measure(task, data, cell, 1, "auto", Sizer(), cells)
    assert timing.stack_size == together
