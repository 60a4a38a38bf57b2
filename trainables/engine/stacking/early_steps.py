"""Steps of a stack's weights during its backward pass.

A weight's gradient is of use until AdamW has read it. Stepped as soon as it is complete and dropped
then, the gradients of all weights never lie in memory together: of the four copies that training
holds of a weight, three are left. AdamW steps each weight by its own gradient alone, so no number
changes.

Clipping needs all gradients at once, a group of processes sums them after the pass, and a GPU
records its steps: there weights are stepped afterwards. On a GPU it is untried.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from trainables.engine.stacking.module import Cells, StackedModule
from trainables.engine.stacking.optimizer import StackedAdamW


@contextmanager
def stepping(
    module: StackedModule, optimizer: StackedAdamW, rates: Tensor, cells: Cells
) -> Iterator[None]:
    """Step each weight when the backward pass inside has its gradient.

    Args:
        module: Stack after its forward pass.
        optimizer: Its optimizer.
        rates: Rate of each cell, (cells,), on the device.
        cells: Cells of the step, as an index on the device.
    """
    step = optimizer.begun(rates, cells)
    weights = {id(part): weight for weight, part in zip(module.stacked, module.parts, strict=True)}

    @torch.no_grad()
    def complete(part: Tensor) -> None:
        if part.grad is not None:
            step(weights[id(part)], part.grad)
            part.grad = None

    hooks = [
        part.register_post_accumulate_grad_hook(complete)
        for part in module.parts
        if part.requires_grad
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
