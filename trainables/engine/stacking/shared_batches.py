"""One copy of a batch for all cells that meet it.

All configs of one (seed, fold) have the same rows in the same order. Heads on frozen features do so
little with a batch that copying it for each of them would cost more than training them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.arrays import IntArray


class Placed(Protocol):
    """A cell, as far as its batches depend on it."""

    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def fold(self) -> int: ...  # noqa: D102
    @property
    def train(self) -> IntArray: ...  # noqa: D102
    @property
    def held_out(self) -> IntArray: ...  # noqa: D102


def blocks(cells: Sequence[Placed]) -> list[list[int]]:
    """Group the numbers of cells that agree in seed, fold and rows."""
    groups: dict[tuple[int, int, bytes, bytes], list[int]] = {}
    for number, cell in enumerate(cells):
        key = cell.seed, cell.fold, cell.train.tobytes(), cell.held_out.tobytes()
        groups.setdefault(key, []).append(number)
    return list(groups.values())


class _Linear(torch.autograd.Function):
    """A linear layer of many cells on one input, as one product.

    Only the rule for vmap is called; see `_Drop` in training/dropout.py.
    """

    @staticmethod
    def forward(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(inputs, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("a layer of a stack was called outside of one; use nn.Linear there.")

    @staticmethod
    def vmap(
        info: Any, dims: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, int]:
        if dims[1] is None:
            call = torch.vmap(functional.linear, in_dims=dims)
            result: Tensor = call(inputs, weight, bias)
            return result, 0
        if dims[0] is not None:
            return _each(inputs.movedim(dims[0], 0), weight.movedim(dims[1], 0), bias, dims[2]), 0
        weights = weight.movedim(dims[1], 0).flatten(0, 1)
        biases = None if bias is None else bias.movedim(dims[2], 0).flatten()
        # This way round the gradient comes out as the weights lie, and need not be copied.
        outputs = weights @ inputs.mT
        if biases is not None:
            outputs = outputs + biases[:, None]
        return outputs.unflatten(-2, (info.batch_size, -1)).movedim(-1, -3), outputs.ndim - 1


def _each(inputs: Tensor, weight: Tensor, bias: Tensor | None, along: int | None) -> Tensor:
    """Run each cell's layer on its own input, (cells, ..., in).

    In one call: a second vmap for it cannot be compiled with lengths that vary.
    """
    rows = inputs.reshape(len(inputs), -1, inputs.shape[-1])
    if bias is None:
        outputs = torch.bmm(rows, weight.mT)
    else:
        biases = bias.expand(len(inputs), -1) if along is None else bias.movedim(along, 0)
        outputs = torch.baddbmm(biases[:, None], rows, weight.mT)
    return outputs.reshape(*inputs.shape[:-1], -1)


class _SharedLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:  # torch's own name for it
        output: Tensor = _Linear.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias
        )
        return output


def use_in_stack(module: nn.Module) -> None:
    """Let a module's linear layers take shared inputs, in place."""
    for part in module.modules():
        if type(part) is nn.Linear:
            part.__class__ = _SharedLinear
