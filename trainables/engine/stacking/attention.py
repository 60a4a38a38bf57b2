"""Attention of a stack: all cells in one call of torch's kernel.

Under `torch.vmap` the fast kernels of scaled_dot_product_attention have no rule for a further axis.
But attention has no weights: cells are just more rows of the batch. Training with dropout needs the
plain formula instead: see `training/dropout.py`.

Where no row of a batch is padded there is nothing to mask. On a GPU the flash kernel, which knows
no mask, is then to be had: untried there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

NAME = "foldrace_stack"


class _Batch:
    """The batch whose forward pass is under way."""

    whole = False


@contextmanager
def of_whole_rows(whole: bool) -> Iterator[None]:
    """Attend without a mask inside, if no row is padded."""
    _Batch.whole = whole
    try:
        yield
    finally:
        _Batch.whole = False


class _Folded(torch.autograd.Function):
    """Attention that takes the axis of cells for part of the batch.

    Only the rule for vmap is called; see `_Drop` in training/dropout.py.
    """

    @staticmethod
    def forward(
        query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        return functional.scaled_dot_product_attention(query, key, value, mask, scale=scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("attention of a stack was called outside of one; choose 'sdpa' there.")

    @staticmethod
    def vmap(info: Any, dims: Any, *inputs: Any) -> tuple[Tensor, int]:
        *tensors, scale = inputs
        folded: list[Any] = [
            None if tensor is None else _with_cells(tensor, dim, info.batch_size).flatten(0, 1)
            for tensor, dim in zip(tensors, dims, strict=False)
        ]
        query, key, value, mask = folded
        attended = _Folded.forward(query, key, value, mask, scale)
        return attended.unflatten(0, (info.batch_size, -1)), 0


def _with_cells(tensor: Tensor, dim: int | None, cells: int) -> Tensor:
    """Bring the axis of cells to the front."""
    return tensor.expand(cells, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


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
        module: Module that attends; its `training` decides dropout.
        query: Queries (batch, heads, length, width of a head).
        key: Keys of the same shape.
        value: Values of the same shape.
        attention_mask: Mask of tokens that may be attended to, bool (batch, 1, 1, length).
        dropout: Share of the attention that is dropped in training.
        scaling: Factor of the products; None for 1 / sqrt(width of a head).

    Returns:
        (batch, length, heads, width of a head), and None in place of the weights.
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    mask = None if _Batch.whole else attention_mask
    attended: Tensor
    if module.training and dropout > 0:
        attended = functional.scaled_dot_product_attention(
            query, key, value, mask, dropout_p=dropout, scale=scale
        )
    else:
        attended = _Folded.apply(  # type: ignore[no-untyped-call]
            query, key, value, mask, scale
        )
    return attended.transpose(1, 2).contiguous(), None


def use_in_stack(module: nn.Module) -> None:
    """Let the encoders of a module attend as stacks do, in place."""
    if "transformers.modeling_utils" not in sys.modules:
        return  # heads on features: none is a transformers model, whose import takes seconds
    from transformers import AttentionInterface, PreTrainedModel

    AttentionInterface.register(NAME, attention)
    for part in module.modules():
        if isinstance(part, PreTrainedModel):
            part.set_attn_implementation(NAME)
