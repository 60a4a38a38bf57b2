"""Puts the masks of a step in place of torch's dropout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.training.dropout_masks import Step


class _Now:
    """The step whose forward pass is under way, if one is."""

    def __init__(self) -> None:
        self.step: Step | None = None
        # Marks the outer axis of a module under vmap; see `_Drop`.
        self.marker: Tensor | None = None


_now = _Now()
_torch_dropout = functional.dropout
_torch_attention = functional.scaled_dot_product_attention


class _Drop(torch.autograd.Function):
    """Dropout under vmap, where the cells of a block share a mask.

    Only the rule for vmap is ever called. Autograd records the operations inside it, so a backward
    is not needed; see torch.func's docs, "Extending torch.func with autograd.Function". The cells
    of a block are an inner vmap, which has no marker: it hands on to the outer one.
    """

    @staticmethod
    def forward(values: Tensor, marker: Tensor, share: float, call: int, axes: int) -> Tensor:
        raise RuntimeError("dropout of a stack was called outside of one; use nn.Dropout there.")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise RuntimeError("dropout of a stack was called outside of one; use nn.Dropout there.")

    @staticmethod
    def vmap(
        info: Any, dims: Any, values: Tensor, marker: Tensor, share: float, call: int, axes: int
    ) -> tuple[Tensor, int]:
        if dims[0] is None:
            values = values.expand(info.batch_size, *values.shape)
        else:
            values = values.movedim(dims[0], 0)
        if dims[1] is None:
            dropped: Tensor = _Drop.apply(  # type: ignore[no-untyped-call]
                values, marker, share, call, axes + 1
            )
            return dropped, 0
        if _now.step is None:
            raise RuntimeError("the step of a stack ended before its forward pass.")
        return _now.step.applied(values, share, call, axes + 1), 0


def _dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:  # torch's own names
    step = _now.step
    if step is None or not training:
        return _torch_dropout(input, p, training, inplace)
    # Counted where nothing is dropped, too: configs with and without agree in all other layers.
    call, step.calls = step.calls, step.calls + 1
    if not 0 < p < 1:
        return _torch_dropout(input, p, training, inplace)
    if _now.marker is None:
        return step.applied(input, p, call, 0)
    dropped: Tensor = _Drop.apply(input, _now.marker, p, call, 0)  # type: ignore[no-untyped-call]
    return dropped


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # torch's own names
    if _now.step is None or dropout_p == 0:
        attended: Tensor = _torch_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
        return attended
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    # torch's kernels draw their masks within, so the formula is written out.
    products = query * (query.shape[-1] ** -0.5 if scale is None else scale) @ key.mT
    if is_causal:
        attn_mask = torch.ones(products.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            products = products.masked_fill(~attn_mask, -torch.inf)
        else:
            products = products + attn_mask
    weights = torch.softmax(products, dim=-1).to(query.dtype)
    return _dropout(weights, dropout_p) @ value


@contextmanager
def drawing(step: Step | None) -> Iterator[None]:
    """Let all dropout inside, attention's as well, use a step's masks.

    Modules and their classes stay as they are: the functions that they call in torch are replaced,
    so that a model without a layer for its dropout is included.

    Args:
        step: Step of the one forward pass inside; None leaves torch's own dropout.
    """
    if step is None:
        yield
        return
    step.calls, _now.step = 0, step
    functional.dropout = _dropout
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.dropout = _torch_dropout
        functional.scaled_dot_product_attention = _torch_attention
        _now.step = None


def checkpoint_blocks(module: nn.Module) -> None:
    """Let encoders compute their blocks anew in the backward pass.

    The masks of dropout are those of the first time.
    """
    for part in module.modules():
        if _is_pretrained(part):
            part.activation_checkpointing_enable(  # type: ignore[operator]
                activation_checkpointing_kwargs={"use_reentrant": False, "context_fn": _contexts}
            )


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of a block's first pass, and of the second one."""
    step = _now.step
    return nullcontext(), nullcontext() if step is None else _again(step, step.calls)


@contextmanager
def _again(step: Step, calls: int) -> Iterator[None]:
    """Draw what was drawn from a call on."""
    with drawing(step):
        step.calls = calls
        yield


@contextmanager
def under_vmap(marker: Tensor | None) -> Iterator[None]:
    """Set the marker of a function under vmap."""
    _now.marker = marker
    try:
        yield
    finally:
        _now.marker = None


def drops(module: nn.Module) -> bool:
    """Tell if a module may drop something in training."""
    return any(
        _is_pretrained(part) or (isinstance(part, nn.Dropout) and part.p > 0)
        for part in module.modules()
    )


def draws_itself(error: Exception) -> bool:
    """Tell if a stack failed since its model draws at random."""
    return isinstance(error, RuntimeError) and "randomness" in str(error)


def _is_pretrained(part: nn.Module) -> bool:
    """Tell if a module is a transformers model, without importing transformers."""
    loaded = sys.modules.get("transformers.modeling_utils")
    return loaded is not None and isinstance(part, loaded.PreTrainedModel)
