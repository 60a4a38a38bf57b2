"""Cross-entropy laid out for stacks against torch's own, and its gradient."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from trainables.losses.cross_entropy import cross_entropy


@pytest.mark.parametrize(("batch", "classes"), [(1, 2), (7, 6), (64, 3)])
def test_it_is_torchs_of_a_batch(batch: int, classes: int) -> None:
    draw = torch.Generator().manual_seed(batch)
    logits = torch.randn(batch, classes, generator=draw, dtype=torch.float64)
    labels = torch.randint(classes, (batch,), generator=draw)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = cross_entropy(ours, labels)
    expected = functional.cross_entropy(theirs, labels)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected, rtol=1e-14, atol=0)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-13, atol=1e-16)


def test_a_stack_gives_what_each_cell_gives_alone() -> None:
    logits = torch.randn(5, 9, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(9) % 4
    stacked = torch.vmap(cross_entropy, in_dims=(0, None))(logits, labels)
    alone = torch.stack([cross_entropy(one, labels) for one in logits])
    torch.testing.assert_close(stacked, alone, rtol=1e-14, atol=0)
