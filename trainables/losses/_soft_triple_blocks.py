"""Losses and gradients of SoftTriple by blocks of tokens; see `_fused_soft_triple.py`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

# Similarities in a block, (cells, tokens, proxies): 16 MB in float32, of which there are two.
_VALUES_AT_ONCE = 2**22
# But never fewer tokens than this: each block adds once to the gradient of all proxies.
_FEWEST_TOKENS = 256
# And never more blocks of a cell: each waits a few times for threads that other processes hold up.
_MOST_BLOCKS = 32
# The least length that torch.nn.functional.normalize divides by.
_SHORTEST = 1e-12


def type_of_factors(embeddings: Tensor, proxies: Tensor) -> torch.dtype:
    """Type in which matrices are multiplied; sums are float32 or wider."""
    device = embeddings.device.type
    dtype = embeddings.dtype
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    # Not float16, in which 1 / (tokens * proxies) is 0; not on a CPU, which gains nothing by it.
    if device == "cuda" and dtype == torch.bfloat16:
        return dtype
    wider = torch.promote_types(embeddings.dtype, proxies.dtype)
    return torch.promote_types(wider, torch.float32)


def weighted_rows(weights: Tensor) -> Tensor | None:
    """Places of tokens with weight in each cell; None for all.

    Returns:
        int64 (cells, most tokens); cells with fewer are filled up with tokens without weight.
    """
    weighted = weights != 0
    most = int(weighted.sum(dim=1).max())
    if most == weights.shape[1]:
        return None
    return weighted.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :most]


def one_pass(
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
    if weights is None:
        shares = torch.full_like(labels, 1 / max(1, labels.shape[1]), dtype=exact)
    else:
        weights, nothing = weights.to(exact), weights == 0
        total = weights.sum(dim=1, keepdim=True)
        shares = weights / total.masked_fill(total == 0, 1)
        # A token without weight may be anything, nan too.
        labels = labels.masked_fill(nothing, 0)
        embeddings = embeddings.masked_fill(nothing.unsqueeze(-1), 0)
    shorten_embeddings = _inverse_length(embeddings, exact)
    # Similarities are divided by the proxies' lengths: passes over a block, but no copy of proxies.
    shorten_proxies = _inverse_length(proxies, exact)
    across = shorten_proxies.transpose(1, 2)
    factors = proxies.to(factors_in)

    losses = shares.new_zeros(cells)
    by_proxies = shares.new_zeros(cells, classes * k if differentiate else 0, dim)
    # Embeddings of length 1 / gamma; a block that is done is overwritten by its gradients.
    by_embeddings = shares.new_empty(embeddings.shape)
    torch.mul(embeddings, shorten_embeddings / gamma, out=by_embeddings)
    memory = None
    for block in _blocks(cells, labels.shape[1], classes * k):
        cell, share = block[0], shares[block].unsqueeze(-1)
        size = share.numel() * classes * k
        if memory is None:  # the first block is the largest
            memory = shares.new_empty(2, size)
        close, p = memory[:, :size].view(2, *share.shape[:2], classes, k)
        flat = close.flatten(2)  # (cells, tokens, proxies)
        x = by_embeddings[block].to(factors_in)
        _multiply(x, factors[cell].transpose(1, 2), flat)
        flat.mul_(across[cell])
        # `close` is cosine similarity / gamma up to here.
        torch.softmax(close, dim=-1, out=p)
        similarity = close.mul_(p).sum(dim=-1)  # S' / gamma, (cells, tokens, classes)
        target = functional.one_hot(labels[block], classes).to(exact)
        logits = scale[cell] * (gamma[cell] * similarity - margin[cell] * target)
        log_q = logits - logits.logsumexp(dim=-1, keepdim=True)
        losses[cell] -= (share * target * log_q).sum(dim=(1, 2))
        if not differentiate:
            continue
        pull = share * scale[cell] * (log_q.exp() - target)
        close.mul_(pull.unsqueeze(-1)).addcmul_(p, (pull * (1 - similarity)).unsqueeze(-1))
        # `close` is the gradient by cosine similarity, then by the product with the whole proxy.
        gradient = flat.mul_(across[cell]).to(factors_in)
        _add_product(gradient.transpose(1, 2), x, by_proxies[cell])
        _multiply(gradient, factors[cell], by_embeddings[block])
    if not differentiate:
        return losses, by_embeddings[:, :0], by_proxies
    del memory
    _through_length(by_embeddings, embeddings, shorten_embeddings)
    by_embeddings.mul_(shorten_embeddings)
    by_proxies.mul_(gamma)
    _through_length(by_proxies, proxies, shorten_proxies)
    return losses, by_embeddings, by_proxies


def _blocks(cells: int, tokens: int, proxies: int) -> Iterator[tuple[slice, slice]]:
    """Cut cells and tokens into blocks: many cells, or part of one."""
    most = max(_FEWEST_TOKENS, _VALUES_AT_ONCE // proxies, tokens // _MOST_BLOCKS)
    parts = max(1, math.ceil(tokens / most))
    width = max(1, math.ceil(tokens / parts))
    height = max(1, _VALUES_AT_ONCE // (width * proxies)) if parts == 1 else 1
    for cell in range(0, cells, height):
        for token in range(0, tokens, width):
            yield slice(cell, cell + height), slice(token, token + width)


def _inverse_length(vectors: Tensor, dtype: torch.dtype) -> Tensor:
    """Inverse length of each vector (..., dim), (..., 1)."""
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True, dtype=dtype)
    return length.clamp_(min=_SHORTEST).reciprocal_()


def _through_length(gradients: Tensor, vectors: Tensor, inverse_lengths: Tensor) -> None:
    """Remove from each gradient, in place, its part along its vector.

    A vector's length moves no direction.

    Args:
        gradients: Contiguous gradients, (cells, vectors, dim).
        vectors: Vectors of the same shape.
        inverse_lengths: Inverse lengths of the vectors, (cells, vectors, 1).
    """
    # In pieces, for the sake of memory and cache.
    dim = vectors.shape[-1]
    rows = max(1, _VALUES_AT_ONCE // (8 * dim))
    pieces = gradients.view(-1, dim), vectors.reshape(-1, dim), inverse_lengths.reshape(-1, 1)
    for gradient, vector, inverse in zip(*(part.split(rows) for part in pieces), strict=True):
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
