"""Weights stepped within the backward pass: the same bits, and no gradient is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.engine.stacking.test_stack_encoders import (
    CONFIG,
    alone,
    cell,
    pretrained,
    tokens,
)
from trainables.engine.inputs.stack_inputs import TokenInputs
from trainables.engine.models import adapters
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.trainer import StackTraining

pytest.importorskip("peft")
PLAIN = {"whole": CONFIG, "adapters": replace(CONFIG, lora_rank=2, lora_alpha=2.0)}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def cells_of(kind: str) -> list[StackCell]:
    """Cells of 41 and 40 rows, so that some steps are of a run and some of others."""
    config = PLAIN[kind]
    base = adapters.frozen(pretrained("bert", dropout=0.2), config)
    return [
        cell(base, config, 2, range(9)),
        cell(base, replace(config, gamma=0.01, learning_rate=3e-3), 7, range(40, 50)),
        cell(base, replace(config, margin=1.0, weight_decay=0.0), 16, range(9)),
    ]


def training_of(kind: str, early: bool) -> StackTraining:
    data = tokens()
    training = StackTraining(cells_of(kind), TokenInputs(data), data.labels)
    assert training.steps_early
    training.steps_early = early
    return training


@pytest.mark.parametrize("apart", [True, False], ids=["cells stepped apart", "stepped together"])
@pytest.mark.parametrize("kind", PLAIN)
def test_no_bit_is_another(kind: str, apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainables.engine.stacking.optimizer.LEAST_APART", 1 if apart else 2**40)
    now, later = (training_of(kind, early) for early in (True, False))
    for epoch in range(2):
        assert now.epoch(epoch).tolist() == later.epoch(epoch).tolist()
    for one, other in zip(now.stack.stacked, later.stack.stacked, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(now.optimizer.optimizer.steps, later.optimizer.optimizer.steps)


@pytest.mark.parametrize("kind", PLAIN)
def test_one_gradient_is_there_at_a_time(kind: str) -> None:
    most: dict[bool, int] = {}
    for early in (True, False):
        training = training_of(kind, early)
        seen: list[int] = []

        def look(_: Tensor, stack: Any = training.stack, seen: list[int] = seen) -> None:
            seen.append(sum(part.grad.nbytes for part in stack.parts if part.grad is not None))

        trained = [weight for weight in training.stack.stacked if weight.requires_grad]
        for weight in trained:
            weight.register_post_accumulate_grad_hook(look)
        training.epoch(0, most_steps=1)
        most[early] = max(seen)
    sizes = [weight.nbytes for weight in trained]
    assert most == {True: max(sizes), False: sum(sizes)}


def test_clipping_waits_for_all_gradients() -> None:
    data, cells = tokens(), cells_of("whole")
    cells[1] = replace(cells[1], config=replace(cells[1].config, clip_norm=0.05))
    training = StackTraining(cells, TokenInputs(data), data.labels)
    assert not training.steps_early
    loss = alone(cells_of("whole")[0], data).epochs[0]["train_loss"]
    assert training.epoch(0)[0] == pytest.approx(loss, rel=1e-4)
