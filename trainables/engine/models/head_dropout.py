"""Dropout of whole attention heads, in place of single values.

Zhou et al., Scheduled DropHead (Findings of EMNLP 2020), as Mirror-BERT's code uses it: in each
row and block a head is left out with probability p, the others are scaled by heads / heads kept;
where none would be kept, all are.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.errors import ModelError

# Names of the queries' layer, and of the layer that mixes the heads where it is beside it.
_QUERIES = ("query", "q_lin", "q_proj", "q")
_MIXERS = ("out_lin", "out_proj", "o")
_HEADS = ("num_attention_heads", "n_heads", "num_heads")


class HeadDropout(nn.Dropout):
    """Dropout of the heads of one attention.

    Args:
        share: Probability that a head is left out.
        heads: Number of heads.
    """

    def __init__(self, share: float, heads: int) -> None:
        super().__init__(share)
        self.heads = heads

    def forward(self, attended: Tensor) -> Tensor:
        """Drop heads of (rows, length, heads x width)."""
        if not self.training or self.p == 0:
            return attended
        ones = attended.new_ones(len(attended), self.heads)
        kept = (functional.dropout(ones, self.p, True) > 0).to(attended.dtype)
        count = kept.sum(dim=-1, keepdim=True)
        kept = torch.where(count == 0, ones, kept)
        scale = kept * (self.heads / kept.sum(dim=-1, keepdim=True))
        apart = attended.unflatten(-1, (self.heads, -1))
        dropped: Tensor = (apart * scale[:, None, :, None]).flatten(-2)
        return dropped


def add(encoder: nn.Module, share: float) -> list[HeadDropout]:
    """Let every attention of an encoder drop heads in training.

    Weights and their names stay what they are.

    Args:
        encoder: Encoder of transformers.
        share: Probability that a head is left out.

    Returns:
        The layers that drop, one for each attention.

    Raises:
        ModelError: if no attention of a known kind is in it.
    """
    layers = []
    for part in list(encoder.modules()):
        heads = next((getattr(part, name) for name in _HEADS if hasattr(part, name)), None)
        if heads is None or not any(hasattr(part, name) for name in _QUERIES):
            continue
        mixer = next((getattr(part, name) for name in _MIXERS if hasattr(part, name)), None)
        # A layer beside the weights, which hold none of its name; the hook finds it on its module.
        layer = HeadDropout(share, int(heads)).train(part.training)
        at = part if mixer is None else mixer
        at.add_module("head_dropout", layer)
        if mixer is None:
            part.register_forward_hook(_after_attention)
        else:
            mixer.register_forward_pre_hook(_before_mixing)
        layers.append(layer)
    if not layers:
        raise ModelError(
            f"drophead found no attention heads in a {type(encoder).__name__}: leave drophead at 0."
        )
    return layers


def _after_attention(module: nn.Module, _: Any, output: Any) -> Any:
    attended, *others = output
    return (_of(module)(attended), *others)


def _before_mixing(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (_of(module)(inputs[0]), *inputs[1:])


def _of(module: nn.Module) -> nn.Module:
    layer = module.head_dropout
    if not isinstance(layer, nn.Module):
        raise TypeError(f"head_dropout must be a module, got {layer!r}.")
    return layer
