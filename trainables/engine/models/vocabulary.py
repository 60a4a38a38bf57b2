"""Encoders cut down to the words of a data set, and restored.

A thousand short texts use a tenth of a vocabulary or less. The embeddings of other words never
reach a loss, but cost copies, memory and optimizer steps: 11 of MiniLM's 23 million weights, 39 of
RoBERTa-base's 125.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.engine.arrays import IntArray

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def restricted(encoder: PreTrainedModel, vocabulary: IntArray) -> PreTrainedModel:
    """Return a copy of an encoder that knows some tokens only.

    A token's id becomes its place in `vocabulary`.

    Args:
        encoder: Encoder, which stays as it is.
        vocabulary: Ids to keep, int64 (words,), ascending, padding's under its own number.
    """
    old = encoder.get_input_embeddings()
    weight = nn.Parameter(_weight(old).detach()[torch.from_numpy(vocabulary)])
    small = copy.deepcopy(old, {id(old.weight): weight})
    small.num_embeddings = len(vocabulary)  # type: ignore[assignment]
    copied: PreTrainedModel = copy.deepcopy(encoder, {id(old): small})
    copied.config.vocab_size = len(vocabulary)
    return copied


@torch.no_grad()
def put_back(encoder: PreTrainedModel, original: PreTrainedModel, vocabulary: IntArray) -> None:
    """Give a trained encoder its whole vocabulary again.

    Embeddings of words that it never saw are as they were.

    Args:
        encoder: Encoder made by `restricted`, trained since; changed in place.
        original: Encoder that it was made of.
        vocabulary: Ids that `restricted` kept.
    """
    trained = encoder.get_input_embeddings()
    whole = _weight(original.get_input_embeddings()).detach().clone()
    whole[torch.from_numpy(vocabulary)] = _weight(trained).to(whole)
    trained.weight = nn.Parameter(whole)
    trained.num_embeddings = len(whole)  # type: ignore[assignment]
    encoder.config.vocab_size = original.config.vocab_size


def _weight(embeddings: nn.Module) -> Tensor:
    weight = embeddings.weight
    if not isinstance(weight, Tensor) or weight.ndim != 2:
        raise TypeError(
            f"the encoder's word embeddings are a {type(embeddings).__name__} without a weight "
            "(words, width); only encoders with one such table can be trained."
        )
    return weight
