"""Dropout of a stack drops the share that it is told, and differs between cells."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.engine.dropout import use_in_stack


def dropped(share: float, cells: int = 4, width: int = 50_001) -> torch.Tensor:
    module = nn.Sequential(nn.Dropout(share))
    use_in_stack(module)
    values = torch.ones(cells, width, requires_grad=True)
    result = torch.vmap(module, randomness="different")(values)
    result.sum().backward()
    # What is dropped gets no gradient; what is kept gets its scale.
    torch.testing.assert_close(values.grad, result.detach())
    return result.detach()


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_scale_are_those_of_torch(share: float) -> None:
    result = dropped(share)
    lost = (result == 0).double().mean(dim=1)
    # 5 standard deviations of a share of 50,001 draws.
    torch.testing.assert_close(
        lost, torch.full_like(lost, share), rtol=0, atol=5 * (share * (1 - share) / 50_001) ** 0.5
    )
    kept = result[result > 0]
    assert kept.unique().numel() == 1
    assert float(kept[0]) == pytest.approx(1 / (1 - share), rel=1e-3)


def test_cells_and_neighbours_are_dropped_apart() -> None:
    kept = (dropped(0.5) > 0).double()
    between_cells = torch.corrcoef(kept)[0, 1:]
    # Values drawn together, 4 a draw, are independent too: 5 standard deviations of a correlation.
    of_a_draw = [
        torch.corrcoef(torch.stack([kept[0, :-lag], kept[0, lag:]]))[0, 1] for lag in (1, 2, 3, 4)
    ]
    assert torch.stack([*between_cells, *of_a_draw]).abs().max() < 5 / 50_001**0.5


def test_evaluation_drops_nothing() -> None:
    module = nn.Dropout(0.5).eval()
    use_in_stack(module)
    values = torch.ones(3, 10)
    assert torch.equal(torch.vmap(module)(values), values)
