"""Attention of a stack: all cells' heads in one call of torch's own kernel.

Under `torch.vmap` the fast kernels of scaled_dot_product_attention have no rule of their own for a
further axis. But attention has no weights: cells are just more rows of the batch. Where dropout is
to be trained with, no kernel will do: see `training/dropout.py`.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "foldrace_stack"


class _Folded(torch.autograd.Function):
    """Attention that takes the axis of cells for part of the batch.

    The rule for vmap runs where autograd records what it does, so there is no backward to write.
    """

    @staticmethod
    def forward(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
        return functional.scaled_dot_product_attention(query, key, value, mask, scale=scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("attention of a stack was called outside of one; choose 'sdpa' there.")

    @staticmethod
    def vmap(info: Any, dims: Any, *given: Any) -> tuple[Tensor, int]:
        *tensors, scale = given
        folded = [
            tensor.expand(info.batch_size, *tensor.shape).flatten(0, 1)
            if dim is None
            else tensor.movedim(dim, 0).flatten(0, 1)
            for tensor, dim in zip(tensors, dims, strict=False)
        ]
        query, key, value, mask = folded
        attended = _Folded.forward(query, key, value, mask, scale)
        return attended.unflatten(0, (info.batch_size, -1)), 0


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it, inside `torch.vmap`.

    Args:
        module: Says whether it is being trained.
        query: (batch, heads, length, width of a head), as are key and value.
        key: See query.
        value: See query.
        attention_mask: Bool, (batch, 1, 1, length): what may be attended to.
        dropout: Share of the attention that is dropped in training.
        scaling: Of the products; None for 1 / sqrt(width of a head).

    Returns:
        (batch, length, heads, width of a head), and None for the weights, which no one gets to see.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    attended: Tensor
    if module.training and dropout > 0:
        attended = functional.scaled_dot_product_attention(
            query, key, value, attention_mask, dropout_p=dropout, scale=scale
        )
    else:
        attended = _Folded.apply(  # type: ignore[no-untyped-call]
            query, key, value, attention_mask, scale
        )
    return attended.transpose(1, 2).contiguous(), None


def use_in_stack(module: nn.Module) -> None:
    """Let every transformers encoder within a module attend as stacks do; changes it in place."""
    if "transformers.modeling_utils" not in sys.modules:
        return  # heads on features: none is a transformers model, whose import takes seconds
    from transformers import AttentionInterface, PreTrainedModel

    AttentionInterface.register(NAME, attention)
    for part in module.modules():
        if isinstance(part, PreTrainedModel):
            part.set_attn_implementation(NAME)
