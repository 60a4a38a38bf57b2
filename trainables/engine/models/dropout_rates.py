"""Dropout rates of an encoder: its own, or others."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from trainables.engine.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Architectures name them differently.
_HIDDEN = ("hidden_dropout_prob", "dropout", "hidden_dropout")
_ATTENTION = ("attention_probs_dropout_prob", "attention_dropout")


def hidden_dropout(encoder: PreTrainedModel) -> float:
    """Return the share of hidden values that an encoder drops."""
    for name in _HIDDEN:
        value = getattr(encoder.config, name, None)
        if value is not None:
            return float(value)
    return 0.0


def with_rates(
    encoder: PreTrainedModel, hidden: float | None, attention: float | None
) -> PreTrainedModel:
    """Return an encoder with other dropout rates, which shares its weights.

    Args:
        encoder: Encoder, which stays as it is.
        hidden: Share of hidden values to drop; None for its own.
        attention: Share of attention's weights to drop; None for its own.

    Raises:
        ModelError: if its architecture has no such rate.
    """
    if hidden is None and attention is None:
        return encoder
    config = copy.deepcopy(encoder.config)
    for wanted, names, what in (
        (hidden, _HIDDEN, "hidden_dropout"),
        (attention, _ATTENTION, "attention_dropout"),
    ):
        known = [name for name in names if getattr(config, name, None) is not None]
        if wanted is not None and not known:
            kind = type(encoder).__name__
            raise ModelError(f"a {kind} has no rate that {what} could set: leave {what} out.")
        if wanted is not None:
            for name in known:
                setattr(config, name, wanted)
    # Its own class says where the rates go: built anew, without weights, and read off.
    kind_of_encoder: Any = type(encoder)
    with torch.device("meta"):
        built = dict(kind_of_encoder(config).named_modules())
    shared: dict[int, Any] = {
        id(each): each for each in (*encoder.parameters(), *encoder.buffers())
    }
    changed: PreTrainedModel = copy.deepcopy(encoder, {**shared, id(encoder.config): config})
    for name, part in changed.named_modules():
        for attribute, value in vars(built.get(name, part)).items():
            if isinstance(value, float):
                setattr(part, attribute, value)
    return changed
