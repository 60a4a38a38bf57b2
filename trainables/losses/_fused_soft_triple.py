"""SoftTriple's loss and gradients in one pass over blocks of tokens.

64 texts of 512 tokens against 6 classes of 2,000 proxies are 1.6 GB of similarities in float32, and
autograd would keep several such copies. A token's loss depends on its own similarities alone, so
here a block of tokens gives its loss and its gradients while its similarities are at hand.

With s the cosine similarities of a token, p = softmax_k(s / gamma), S' = sum_k p s, q the softmax
over classes, share the token's weight over the sum of weights:

    d loss / d s(c, k) = share * scale * (q(c) - [c = y])
                         * p(c, k) * (1 + (s(c, k) - S'(c)) / gamma)

Keeping the class similarities and computing the rest anew in the backward pass takes four products
of (tokens, dim) by (dim, proxies) instead of three: on a CPU at 4,096 tokens x 12,000 proxies x 768
1.33 times this one's time at equal memory. The plain formula takes 1.4 times the time and 8.8 times
the memory (tests/benchmarks/bench_soft_triple.py). Between the passes only the gradients are kept,
which the backward pass returns anyway.

On CUDA, bfloat16 is multiplied as such and summed up in float32; not yet run on a GPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainables.losses._soft_triple_blocks import one_pass, type_of_factors, weighted_rows


class FusedSoftTriple(torch.autograd.Function):
    """SoftTriple of M cells: losses and their gradients in one forward pass.

    Every tensor has a leading axis of cells, which vmap makes longer.
    """

    @staticmethod
    def forward(
        embeddings: Tensor,
        proxies: Tensor,
        labels: Tensor,
        weights: Tensor | None,
        gamma: Tensor,
        scale: Tensor,
        margin: Tensor,
        differentiate: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted mean loss of each cell.

        Args:
            embeddings: Vectors of any length, (cells, tokens, dim).
            proxies: Vectors of any length, (cells, classes, k, dim).
            labels: Class ids, (cells, tokens).
            weights: Weights of at least 0, (cells, tokens); None weighs all the same.
            gamma: (cells,).
            scale: (cells,).
            margin: (cells,).
            differentiate: True where a backward pass may follow.

        Returns:
            Losses (cells,), and their gradients by embeddings (cells, tokens, dim) and by proxies
            (cells, classes * k, dim), which are empty unless `differentiate`.
        """
        factors_in = type_of_factors(embeddings, proxies)
        rows = None if weights is None else weighted_rows(weights)
        if weights is not None and rows is not None:
            whole, places = embeddings.shape, rows.unsqueeze(-1).expand(-1, -1, embeddings.shape[2])
            embeddings = embeddings.gather(1, places)
            labels, weights = labels.gather(1, rows), weights.gather(1, rows)
        # Autocast would round what is summed up in float32 here.
        with torch.autocast(embeddings.device.type, enabled=False):
            settings = gamma, scale, margin
            losses, by_embeddings, by_proxies = one_pass(
                embeddings, proxies, labels, weights, settings, factors_in, differentiate
            )
        if differentiate and rows is not None:
            by_embeddings = by_embeddings.new_zeros(whole).scatter_(1, places, by_embeddings)
        return losses, by_embeddings, by_proxies

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save the gradients; the inputs show a second derivative."""
        _, by_embeddings, by_proxies = output
        ctx.mark_non_differentiable(by_embeddings, by_proxies)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:2], by_embeddings, by_proxies)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> tuple[Tensor | None, ...]:
        """Multiply the saved gradients by each cell's upstream gradient, (cells,)."""
        if upstream[0] is None:
            return (None,) * 8
        *inputs, by_embeddings, by_proxies = ctx.saved_tensors
        factors = _OnceDifferentiable.apply(  # type: ignore[no-untyped-call]
            upstream[0], *inputs
        )[:, None, None]
        # A copy of the gradient of all proxies less, where no one else will read it.
        times = Tensor.mul_ if _is_last_pass(factors) else Tensor.mul
        gradients = [
            times(saved, factors).to(leaf.dtype).view_as(leaf) if needed else None
            for saved, leaf, needed in zip(
                (by_embeddings, by_proxies), inputs, ctx.needs_input_grad[:2], strict=True
            )
        ]
        return (*gradients, *[None] * 6)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Take the batch of a vmap for more cells."""

        def as_cells(value: Any, dim: int | None) -> Any:
            if not isinstance(value, Tensor):
                return value
            if dim is None:
                value = value.expand(info.batch_size, *value.shape)
            else:
                value = value.movedim(dim, 0)
            return value.flatten(0, 1)

        outputs = FusedSoftTriple.apply(  # type: ignore[no-untyped-call]
            *map(as_cells, inputs, in_dims)
        )
        return tuple(part.unflatten(0, (info.batch_size, -1)) for part in outputs), (0, 0, 0)


class _OnceDifferentiable(torch.autograd.Function):
    """Returns its first input; refuses its derivative by the others.

    torch's once_differentiable says nothing where the upstream gradient itself needs no gradient,
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


def _is_last_pass(upstream: Tensor) -> bool:
    """Tell if no other backward pass will read the saved tensors."""
    # As torch's own compiled backward passes ask.
    again = torch._C._autograd._get_current_graph_task_keep_graph()
    kinds = (
        torch._C._functorch.is_functorch_wrapped_tensor,
        torch._C._functorch.is_legacy_batchedtensor,  # of is_grads_batched
    )
    return not again and not any(wrapped(upstream) for wrapped in kinds)
