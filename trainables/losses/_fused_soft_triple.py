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
the memory (tests/benchmarks/bench_soft_triple.py). The memory kept between the passes is that of
the gradients, which the backward pass returns anyway.

On CUDA, bfloat16 is multiplied as such and summed up in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainables.losses._once_differentiable import OnceDifferentiable, is_last_pass

# Number of similarities in a block, (cells, tokens, proxies): 16 MB in float32, twice, which a
# host's cache holds; on a GPU 256 MB, twice, so that launches take no time beside it.
_VALUES_AT_ONCE = {"cpu": 2**22, "cuda": 2**26}
# Smallest number of tokens in a block: each adds once to the gradient of all proxies.
_FEWEST_TOKENS = 256
# Largest number of a cell's blocks: each waits a few times for threads that other processes delay.
_MOST_BLOCKS = 32
# Least divisor of torch.nn.functional.normalize.
_SHORTEST = 1e-12


class FusedSoftTriple(torch.autograd.Function):
    """SoftTriple of M cells: losses (cells,) and their gradients.

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
        """Return the weighted mean loss of each cell.

        Args:
            embeddings: Vectors of any length, (cells, tokens, dim).
            proxies: Vectors of any length, (cells, classes, k, dim).
            labels: Class ids, (cells, tokens).
            weights: Weights of at least 0, (cells, tokens); None weighs all the same.
            gamma: Gamma of each cell, (cells,).
            scale: Lambda of each cell, (cells,).
            margin: Delta of each cell, (cells,).
            differentiate: True if a backward pass may follow.

        Returns:
            Losses (cells,), and their gradients by embeddings (cells, tokens, dim) and by proxies
            (cells, classes * k, dim), which are empty unless `differentiate`.
        """
        factors_in = _type_of_factors(embeddings, proxies)
        rows = None if weights is None else _weighted_rows(weights)
        if weights is not None and rows is not None:
            whole, places = embeddings.shape, rows.unsqueeze(-1).expand(-1, -1, embeddings.shape[2])
            embeddings = embeddings.gather(1, places)
            labels, weights = labels.gather(1, rows), weights.gather(1, rows)
        # Autocast would round the sums, which are float32 here.
        with torch.autocast(embeddings.device.type, enabled=False):
            settings = gamma, scale, margin
            losses, by_embeddings, by_proxies = _one_pass(
                embeddings, proxies, labels, weights, settings, factors_in, differentiate
            )
        if differentiate and rows is not None:
            by_embeddings = by_embeddings.new_zeros(whole).scatter_(1, places, by_embeddings)
        return losses, by_embeddings, by_proxies

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Keep the gradients and inputs.

        The inputs reveal a second derivative.
        """
        _, by_embeddings, by_proxies = output
        ctx.mark_non_differentiable(by_embeddings, by_proxies)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs[:2], by_embeddings, by_proxies)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> tuple[Tensor | None, ...]:
        """Return the kept gradients, times each cell's upstream gradient, (cells,)."""
        if upstream[0] is None:
            return (None,) * 8
        *inputs, by_embeddings, by_proxies = ctx.saved_tensors
        factors = OnceDifferentiable.apply(  # type: ignore[no-untyped-call]
            upstream[0], *inputs
        )[:, None, None]
        # A copy of the gradient of all proxies less, where no one else will read it.
        times = Tensor.mul_ if is_last_pass(factors) else Tensor.mul
        gradients = [
            times(gradient, factors).to(value.dtype).view_as(value) if needed else None
            for gradient, value, needed in zip(
                (by_embeddings, by_proxies), inputs, ctx.needs_input_grad[:2], strict=True
            )
        ]
        return (*gradients, *[None] * 6)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], *inputs: Any
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        """Treat the batch of a vmap as further cells."""

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
        return tuple(out.unflatten(0, (info.batch_size, -1)) for out in outputs), (0, 0, 0)


def _type_of_factors(embeddings: Tensor, proxies: Tensor) -> torch.dtype:
    """Return the type for products of matrices.

    Sums are in float32 or wider in any case.
    """
    device = embeddings.device.type
    dtype = embeddings.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    # Not float16, in which 1 / (tokens * proxies) is 0; not on a CPU, which gains nothing by it.
    if device == "cuda" and dtype == torch.bfloat16:
        return dtype
    wider = torch.promote_types(embeddings.dtype, proxies.dtype)
    return torch.promote_types(wider, torch.float32)


def _weighted_rows(weights: Tensor) -> Tensor | None:
    """Return the places of tokens with weight, (cells, tokens).

    It is None if all tokens are needed, or on a GPU. Cells with fewer tokens are filled up with
    tokens without weight.
    """
    if weights.is_cuda:
        return None  # their number would have to come to the host, for which a GPU would wait
    weighted = weights != 0
    most = int(weighted.sum(dim=1).max())
    if most == weights.shape[1]:
        return None
    return weighted.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]


def _one_pass(
    embeddings: Tensor,
    proxies: Tensor,
    labels: Tensor,
    weights: Tensor | None,
    settings: tuple[Tensor, Tensor, Tensor],
    factors_in: torch.dtype,
    differentiate: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    cells, _, dim = embeddings.shape
    _, classes, k, _ = proxies.shape
    exact = torch.promote_types(factors_in, torch.float32)
    gamma, scale, margin = (value.to(exact)[:, None, None] for value in settings)
    embeddings, proxies = embeddings.to(exact), proxies.flatten(1, 2)
    shares, labels, embeddings = _shares(weights, labels, embeddings)
    shorten_embeddings = _inverse_length(embeddings, exact)
    shorten_proxies = _inverse_length(proxies, exact)
    across, rounded = shorten_proxies.transpose(1, 2), factors_in != proxies.dtype
    # Where proxies are copied to be rounded, the copies have length 1. Else similarities are
    # divided by the proxies' lengths: passes over a block, but no copy.
    factors = (proxies.to(exact) * shorten_proxies).to(factors_in) if rounded else proxies

    losses = shares.new_zeros(cells)
    by_proxies = shares.new_zeros(cells, classes * k if differentiate else 0, dim)
    # Embeddings of length 1 / gamma; a block that is done is overwritten by its gradients.
    by_embeddings = shares.new_empty(embeddings.shape)
    torch.mul(embeddings, shorten_embeddings / gamma, out=by_embeddings)
    memory = None
    at_once = _VALUES_AT_ONCE.get(labels.device.type, _VALUES_AT_ONCE["cpu"])
    for block in _blocks(cells, labels.shape[1], classes * k, at_once):
        cell, share = block[0], shares[block].unsqueeze(-1)
        size = share.numel() * classes * k
        if memory is None:  # the first block is the largest
            memory = shares.new_empty(2, size)
        close, p = memory[:, :size].view(2, *share.shape[:2], classes, k)
        flat = close.flatten(2)  # (cells, tokens, proxies)
        x = by_embeddings[block].to(factors_in)
        _multiply(x, factors[cell].transpose(1, 2), flat)
        if not rounded:
            flat.mul_(across[cell])
        softness = gamma[cell], scale[cell], margin[cell]
        similarity, own, log_q = _class_scores(close, p, labels[block], softness)
        losses[cell] -= (share * own * log_q).sum(dim=(1, 2))
        if not differentiate:
            continue
        pull = share * scale[cell] * (log_q.exp() - own)
        # The gradient by cosine similarity, then by the product with a proxy as it is in `factors`.
        close.mul_(pull.unsqueeze(-1))
        rest = (pull * (1 - similarity)).unsqueeze(-1)
        if rounded:
            gradient = close.new_empty(p.shape, dtype=factors_in)
            torch.addcmul(close, p, rest, out=gradient)
        else:
            gradient = close.addcmul_(p, rest)
            flat.mul_(across[cell])
        gradient = gradient.flatten(2)
        _add_product(gradient.transpose(1, 2), x, by_proxies[cell])
        _multiply(gradient, factors[cell], by_embeddings[block])
    if not differentiate:
        return losses, by_embeddings[:, :0], by_proxies
    del memory
    _through_length(by_embeddings, embeddings, shorten_embeddings)
    by_embeddings.mul_(shorten_embeddings)
    by_proxies.mul_(gamma * shorten_proxies if rounded else gamma)
    _through_length(by_proxies, proxies, shorten_proxies)
    return losses, by_embeddings, by_proxies


def _shares(
    weights: Tensor | None, labels: Tensor, embeddings: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return shares of the weight, and labels and embeddings without the weightless."""
    if weights is None:
        share = 1 / max(1, labels.shape[1])
        return torch.full_like(labels, share, dtype=embeddings.dtype), labels, embeddings
    weights, nothing = weights.to(embeddings.dtype), weights == 0
    total = weights.sum(dim=1, keepdim=True)
    shares = weights / total.masked_fill(total == 0, 1)
    # A token without weight may be anything, nan too.
    embeddings = embeddings.masked_fill(nothing.unsqueeze(-1), 0)
    return shares, labels.masked_fill(nothing, 0), embeddings


def _class_scores(
    close: Tensor, p: Tensor, labels: Tensor, settings: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return S' / gamma, the true class and log q.

    Each is (cells, tokens, classes).

    Args:
        close: Cosine similarity / gamma, (cells, tokens, classes, k); times p afterwards.
        p: Memory of the same shape, for the softmax over a class's proxies.
        labels: Class ids, (cells, tokens).
        settings: Gamma, scale and margin of each cell, (cells, 1, 1).
    """
    gamma, scale, margin = settings
    torch.softmax(close, dim=-1, out=p)
    similarity = close.mul_(p).sum(dim=-1)
    own = functional.one_hot(labels, close.shape[2]).to(close.dtype)
    logits = scale * (gamma * similarity - margin * own)
    return similarity, own, logits - logits.logsumexp(dim=-1, keepdim=True)


def _blocks(cells: int, tokens: int, proxies: int, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Yield the cells and tokens of each block.

    A block has many small cells, or a part of the tokens of one.
    """
    most = max(_FEWEST_TOKENS, at_once // proxies, tokens // _MOST_BLOCKS)
    parts = max(1, math.ceil(tokens / most))
    width = max(1, math.ceil(tokens / parts))
    height = max(1, at_once // (width * proxies)) if parts == 1 else 1
    for cell in range(0, cells, height):
        for token in range(0, tokens, width):
            yield slice(cell, cell + height), slice(token, token + width)


def _inverse_length(vectors: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the inverse length of each vector, (..., 1)."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=dtype)
    return length.clamp_(min=_SHORTEST).reciprocal_()


def _through_length(gradients: Tensor, vectors: Tensor, inverse_lengths: Tensor) -> None:
    """Remove from each gradient, in place, its part along its vector.

    That part moves no direction.

    Args:
        gradients: Gradients, contiguous, (cells, vectors, dim).
        vectors: Vectors, (cells, vectors, dim).
        inverse_lengths: Inverse lengths of the vectors, (cells, vectors, 1).
    """
    # In pieces, for the sake of memory and cache.
    dim = vectors.shape[-1]
    at_once = _VALUES_AT_ONCE.get(vectors.device.type, _VALUES_AT_ONCE["cpu"])
    rows = max(1, at_once // (8 * dim))
    pieces = gradients.view(-1, dim), vectors.reshape(-1, dim), inverse_lengths.reshape(-1, 1)
    for gradient, vector, inverse in zip(*(piece.split(rows) for piece in pieces), strict=True):
        exact = vector.to(gradient.dtype)
        along = (gradient * exact).sum(dim=-1, keepdim=True)
        gradient.addcmul_(exact, along.mul_(inverse.square()), value=-1)


def _multiply(left: Tensor, right: Tensor, out: Tensor) -> None:
    if left.dtype == out.dtype:
        torch.bmm(left, right, out=out)
    else:  # CUDA alone
        torch.bmm(left, right, out_dtype=out.dtype, out=out)


def _add_product(left: Tensor, right: Tensor, out: Tensor) -> None:
    if left.dtype == out.dtype:
        out.baddbmm_(left, right)
    else:  # CUDA alone
        out.add_(torch.bmm(left, right, out_dtype=out.dtype))
