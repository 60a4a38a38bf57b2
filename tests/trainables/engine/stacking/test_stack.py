"""A stack gives each of its cells what the cell gives alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import clip_grad_norm_
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from tests.factories import config, fits_of_stack, stack_cell
from trainables.engine import seeding
from trainables.engine.errors import DivergedError
from trainables.engine.inputs.stack_inputs import FeatureInputs
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.module import StackedModule
from trainables.engine.stacking.optimizer import StackedAdamW, clip_gradients, schedule_factor
from trainables.engine.training.fit import Fit
from trainables.projection import Config, build

ROWS, WIDTH, CLASSES = 90, 7, 3
CONFIG = Config(**config("projection", k=4, weight_decay=0.1, warmup_fraction=0.1, epochs=3))


@dataclass(frozen=True)
class Rows:
    features: torch.Tensor
    labels: np.ndarray


@pytest.fixture
def rows(double: None) -> Rows:
    draw = np.random.default_rng(0)
    labels = draw.integers(CLASSES, size=ROWS)
    features = draw.normal(size=(ROWS, WIDTH)) + np.eye(CLASSES, WIDTH)[labels]
    return Rows(torch.as_tensor(features), labels)


def head(config: Config, seed: int, held_out: range) -> StackCell:
    with seeding.drawing_from(seed, "init"):
        module = build(config, WIDTH, CLASSES)
    return stack_cell(module, config, seed, held_out, ROWS)


def stack_fits(cells: list[StackCell], rows: Rows) -> list[Fit | DivergedError]:
    return fits_of_stack(cells, FeatureInputs(rows.features), rows.labels)


def alone(cell: StackCell, rows: Rows) -> tuple[list[float], np.ndarray]:
    """One cell with torch's own AdamW, clipping and transformers' schedules: the reference."""
    config, module = cell.config, cell.module
    decayed = [p for p in module.parameters() if p.ndim > 1]
    plain = [p for p in module.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": plain, "weight_decay": 0.0}],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
    )
    per_epoch = -(-len(cell.train) // config.batch_size)
    total = per_epoch * config.epochs
    make = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}
    schedule = make[config.schedule](optimizer, int(np.ceil(config.warmup_fraction * total)), total)
    losses = []
    for epoch in range(config.epochs):
        module.train()
        draw = seeding.numpy_generator(cell.seed, "order", epoch)
        order = cell.train[draw.permutation(len(cell.train))]
        sums = []
        for start in range(0, len(order), config.batch_size):
            batch = order[start : start + config.batch_size]
            loss = module(rows.features[batch], torch.as_tensor(rows.labels[batch])).loss
            optimizer.zero_grad()
            loss.backward()
            if config.clip_norm:
                clip_grad_norm_(module.parameters(), config.clip_norm)
            optimizer.step()
            schedule.step()
            sums.append(loss.item())
        losses.append(float(np.mean(sums)))
    module.eval()
    with torch.no_grad():
        logits = module(rows.features[cell.held_out], torch.as_tensor(rows.labels[cell.held_out]))
    return losses, torch.softmax(logits.logits, dim=-1).numpy()


def test_each_cell_gets_what_it_gets_alone(rows):
    # Seeds, rows (81 and 75 of them: last batches of 1 and 11), rates, decays, clipping, epochs
    # and every continuous hyper-parameter of the loss differ within the stack.
    def cells() -> list[StackCell]:
        return [
            head(CONFIG, 2, range(9)),
            head(replace(CONFIG, beta=0.9, gamma=0.01, epochs=2), 16, range(15)),
            head(replace(CONFIG, learning_rate=0.03, weight_decay=0.0), 2, range(70, 90)),
            head(replace(CONFIG, margin=1.0, scale=10.0, clip_norm=0.05), 7, range(9)),
            head(replace(CONFIG, epochs=5, warmup_fraction=0.5), 16, range(30, 60)),
        ]

    for fit, cell in zip(stack_fits(cells(), rows), cells(), strict=True):
        assert isinstance(fit, Fit)
        losses, probabilities = alone(cell, rows)
        np.testing.assert_allclose([e["train_loss"] for e in fit.epochs], losses, atol=1e-9)
        # The stack hands over float32.
        np.testing.assert_allclose(fit.probabilities, probabilities, atol=1e-6)


def test_a_diverging_cell_leaves_its_neighbours_bitwise_alone(rows):
    neighbours = [(CONFIG, 2, range(9)), (replace(CONFIG, beta=0.9), 16, range(9, 20))]
    calm = stack_fits([head(CONFIG, 7, range(9)), *(head(*cell) for cell in neighbours)], rows)
    broken = head(CONFIG, 7, range(9))
    with torch.no_grad():
        broken.module.projection.weight[0, 0] = torch.nan
    wild = stack_fits([broken, *(head(*cell) for cell in neighbours)], rows)
    assert isinstance(wild[0], DivergedError)
    assert "epoch 1" in str(wild[0])
    for one, other in zip(calm[1:], wild[1:], strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)
        assert [e["train_loss"] for e in one.epochs] == [e["train_loss"] for e in other.epochs]


def test_cells_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"soft_triple\.proxies"):
        StackedModule([build(CONFIG, WIDTH, 3), build(replace(CONFIG, k=5), WIDTH, 3)])


def test_cells_of_other_batch_sizes_are_refused(rows):
    cells = [head(CONFIG, 2, range(9)), head(replace(CONFIG, batch_size=8), 2, range(9))]
    with pytest.raises(ValueError, match="batch size"):
        stack_fits(cells, rows)


@settings(deadline=None, max_examples=30)
@given(norms=st.lists(st.sampled_from([0.0, 0.01, 0.5, 1e6]), min_size=3, max_size=3))
def test_clipping_is_torchs_own_per_cell(norms):
    modules = [build(CONFIG, WIDTH, CLASSES) for _ in norms]
    stack = StackedModule(modules)
    for number, parameter in enumerate(stack.stacked):
        shape = (len(norms), *parameter.shape[1:])
        parameter.grad = torch.linspace(-1, number + 1, parameter.numel()).reshape(shape)
    names = [name for name, _ in modules[0].named_parameters()]
    for i, (module, norm) in enumerate(zip(modules, norms, strict=True)):
        for name, parameter in zip(names, stack.stacked, strict=True):
            module.get_parameter(name).grad = parameter.grad[i].clone()
        if norm:
            clip_grad_norm_(module.parameters(), norm)
    clip_gradients(stack, torch.tensor(norms))
    for i, module in enumerate(modules):
        for name, parameter in zip(names, stack.stacked, strict=True):
            torch.testing.assert_close(
                parameter.grad[i], module.get_parameter(name).grad, rtol=1e-5, atol=1e-7
            )


def test_cells_that_sit_out_a_step_are_not_moved():
    stack = StackedModule([build(CONFIG, WIDTH, CLASSES) for _ in range(3)])
    optimizer = StackedAdamW(stack, torch.full((3,), 0.1), torch.full((3,), 0.1))
    before = [p.detach().clone() for p in stack.stacked]
    for parameter in stack.stacked:
        parameter.grad = torch.ones_like(parameter)
    optimizer.cells = torch.tensor([0, 2])
    optimizer.step()
    for parameter, old in zip(stack.stacked, before, strict=True):
        assert torch.equal(parameter[1], old[1])
        assert not torch.equal(parameter[0], old[0])
    assert optimizer.steps.tolist() == [1, 0, 1]


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_schedules_are_transformers_own(schedule):
    make = {"linear": get_linear_schedule_with_warmup, "cosine": get_cosine_schedule_with_warmup}
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = make[schedule](optimizer, 3, 12)
    for step in range(12):
        ours = schedule_factor(
            schedule, torch.tensor([float(step)]), torch.tensor([12.0]), torch.tensor([3.0])
        )
        assert float(ours) == pytest.approx(theirs.get_last_lr()[0], abs=1e-6)
        optimizer.step()
        theirs.step()
