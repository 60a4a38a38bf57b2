"""Pooling: from vectors of tokens to one vector a text."""

from __future__ import annotations

from torch import Tensor

POOLINGS = ("cls", "mean")
"""Ways to pool: the first token, or the mean over real tokens."""


def mean_over_tokens(tokens: Tensor, real: Tensor) -> Tensor:
    """Return the mean over real tokens; padding never counts.

    Args:
        tokens: Vectors of tokens, (batch, length, width).
        real: True for tokens that are no padding, bool (batch, length).

    Returns:
        (batch, width).
    """
    weights = real.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(dim=1) / weights.sum(dim=1)


def pooled(tokens: Tensor, real: Tensor, pooling: str) -> Tensor:
    """Pool the tokens of each text, (batch, width).

    Args:
        tokens: Vectors of tokens, (batch, length, width).
        real: Mask of tokens that are no padding, bool (batch, length).
        pooling: "mean", over real tokens; any other takes the first token.
    """
    return mean_over_tokens(tokens, real) if pooling == "mean" else tokens[:, 0]


def pooling_map_fault(pooling: str) -> str | None:
    """Return the reason against class activation maps, None without any.

    A linear classifier has one only behind a mean over tokens.
    """
    if pooling == "mean":
        return None
    return (
        f"With pooling={pooling} the classifier sees one token's vector, no mean over "
        "tokens, so there is no class activation map: run the sweep with --fix pooling=mean."
    )
