"""Dropout of a stack: the same share dropped, drawn by the host in a fraction of the time.

On a CPU, torch draws one number of a slow generator for each value, one after another: a fifth of a
small encoder's training. Here one draw gives 4 values, 16 bits each.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_BITS = 16


def _dropped(inputs: Tensor, share: float) -> Tensor:
    """Drop a share of the values, to the nearest 1 in 65,536, and scale up the others."""
    if inputs.device.type != "cpu" or not 0 < share < 1:
        return functional.dropout(inputs, share)
    each = 64 // _BITS
    words = torch.empty(-(-inputs.numel() // each), dtype=torch.int64)
    drawn = words.random_(-(2**63), None).view(torch.int16)[: inputs.numel()]
    dropped = round(share * 2**_BITS)
    kept = drawn.ge(dropped - 2 ** (_BITS - 1)).to(inputs.dtype)
    return inputs * kept.mul_(2**_BITS / (2**_BITS - dropped)).view(inputs.shape)


class _Drop(torch.autograd.Function):
    """The rule for vmap runs where autograd records what it does: there is no backward to write."""

    @staticmethod
    def forward(inputs: Tensor, share: float) -> Tensor:
        return _dropped(inputs, share)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("dropout of a stack was called outside of one; use nn.Dropout there.")

    @staticmethod
    def vmap(info: Any, dims: Any, inputs: Tensor, share: float) -> tuple[Tensor, int]:
        return _dropped(inputs, share), dims[0]


class _StackDropout(nn.Dropout):
    def forward(self, input: Tensor) -> Tensor:  # torch's own name for it
        if not self.training or self.p == 0:
            return input
        given: Tensor = _Drop.apply(input, self.p)  # type: ignore[no-untyped-call]
        return given


def use_in_stack(module: nn.Module) -> None:
    """Let a module's dropout draw as stacks do; changes it in place."""
    for part in module.modules():
        if type(part) is nn.Dropout:
            part.__class__ = _StackDropout
