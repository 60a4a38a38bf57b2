"""Pooling: from vectors of tokens to one vector a text."""

from __future__ import annotations

from torch import Tensor


def mean_over_tokens(tokens: Tensor, real: Tensor) -> Tensor:
    """Mean over real tokens; padding never counts.

    Args:
        tokens: (batch, length, width).
        real: Which tokens are no padding, bool (batch, length).

    Returns:
        (batch, width).
    """
    weights = real.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1)


def pooling_map_fault(pooling: str) -> str | None:
    """Why a linear classifier on such a vector has no class activation map; None if it has one."""
    if pooling == "mean":
        return None
    return (
        f"With pooling={pooling} the classifier sees one token's vector, no mean over "
        "tokens, so there is no class activation map: run the sweep with --fix pooling=mean."
    )
