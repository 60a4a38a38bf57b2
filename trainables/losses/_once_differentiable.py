"""Backward passes of gradients that a forward pass computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class OnceDifferentiable(torch.autograd.Function):
    """A pass-through whose own derivative raises an error.

    torch's once_differentiable raises nothing where the upstream gradient itself needs no gradient,
    as in a gradient penalty, and the penalty's gradient would silently be 0.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(upstream: Tensor, *_: Tensor) -> Tensor:
        return upstream.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> None:
        raise RuntimeError(
            "SoftTriple has no second derivative: its gradients are computed together with the "
            "loss. Take gradients of it once, without create_graph."
        )


def is_last_pass(upstream: Tensor) -> bool:
    """Return True if no other pass reads the kept tensors."""
    # torch's own compiled backward passes use these calls, too.
    again = torch._C._autograd._get_current_graph_task_keep_graph()
    kinds = (
        torch._C._functorch.is_functorch_wrapped_tensor,
        torch._C._functorch.is_legacy_batchedtensor,  # of is_grads_batched
    )
    return not again and not any(wrapped(upstream) for wrapped in kinds)
