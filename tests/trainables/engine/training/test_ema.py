"""Moving averages of weights: TensorFlow's formula, for each cell with its own decay and steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.engine.training.ema import Averages


def by_formula(values: list[float], decay: float) -> float:
    """values[0] is the weight before the first step."""
    average = values[0]
    for n, value in enumerate(values[1:]):
        d = min(decay, (1 + n) / (10 + n))
        average = d * average + (1 - d) * value
    return average


def test_each_cell_is_averaged_by_its_own_decay_over_its_own_steps() -> None:
    parameter = nn.Parameter(torch.tensor([[1.0], [1.0], [1.0]], dtype=torch.float64))
    decays = torch.tensor([0.0, 0.3, 0.99], dtype=torch.float64)
    averages = Averages([parameter], decays)
    told: list[list[float]] = [[1.0], [1.0], [1.0]]
    for step in range(12):
        moving = [0, 1, 2] if step % 3 else [0, 2]  # cell 1 sits out some steps
        for cell in moving:
            parameter.data[cell] = float((step + 2) ** 2 + cell)
            told[cell].append(parameter.data[cell].item())
        averages.update(None if len(moving) == 3 else torch.tensor(moving))
    own = parameter.data.clone()
    with averages.applied():
        for cell in range(3):
            expected = by_formula(told[cell], decays[cell].item())
            assert parameter.data[cell].item() == pytest.approx(expected, rel=1e-12)
    assert torch.equal(parameter.data, own)
    assert by_formula(told[0], 0.0) == told[0][-1]  # a decay of 0 averages nothing


def test_cells_that_are_dropped_take_their_averages_along() -> None:
    parameter = nn.Parameter(torch.arange(6.0).reshape(3, 2))
    averages = Averages([parameter], torch.tensor([0.5, 0.9, 0.0]))
    averages.update()
    parameter.data = parameter.data[torch.tensor([2, 0])] + 1
    averages.keep(torch.tensor([2, 0]))
    averages.update()
    with averages.applied():
        assert parameter.data[0].tolist() == [5.0, 6.0]  # the cell without averaging
        # (1 + n) / (10 + n) at n = 1 is 2 / 11, below 0.5.
        assert parameter.data[1].tolist() == pytest.approx([9 / 11, 1 + 9 / 11])


def test_a_modules_own_averages_come_back_from_a_checkpoint() -> None:
    module = nn.Linear(2, 1)
    first = Averages(list(module.parameters()), torch.tensor([0.9]), alone=True)
    for _ in range(3):
        with torch.no_grad():
            module.weight += 1
        first.update()
    second = Averages(list(module.parameters()), torch.tensor([0.9]), alone=True)
    second.load_state_dict(first.state_dict())
    found = []
    for averages in (first, second):
        averages.update()
        with averages.applied():
            found.append(module.weight.clone())
    assert torch.equal(*found)
