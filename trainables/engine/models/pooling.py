"""Pooling to one vector a text, and a classifier on it.

The dense layer of pooling=pooler is that of transformers' own classifiers, in training and in its
weights:

    kind          dropout before   activation   dropout behind   first weights
    BERT          no               tanh         yes              its pretrained pooler's
    DistilBERT    no               ReLU         yes              drawn
    ELECTRA       yes              GELU         yes              drawn
    RoBERTa       yes              tanh         yes              drawn
    any other     yes              tanh         yes              drawn

A classifier on it can be saved as transformers' own class of the first four kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.engine.config import ClassifierTuning
from trainables.engine.models import pretrained
from trainables.engine.models.dropout_rates import hidden_dropout

if TYPE_CHECKING:
    from transformers import PreTrainedModel

POOLINGS = ("cls", "mean")
"""Ways to pool: the first token, or the mean over real tokens."""
_ACTIVATIONS: dict[str, type[nn.Module]] = {"distilbert": nn.ReLU, "electra": nn.GELU}
_WITHOUT_DROPOUT = ("bert", "distilbert")


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


def activation(kind: str) -> nn.Module:
    """Return the activation of a kind of encoder, by its `model_type`."""
    return _ACTIVATIONS.get(kind, nn.Tanh)()


class Pooler(nn.Module):
    """A dense layer on the first token's vector.

    It is drawn from torch's generator.

    Args:
        encoder: Encoder whose vectors it gets.
        dropout: Share of these that is dropped, where its kind drops any.
    """

    def __init__(self, encoder: PreTrainedModel, dropout: float) -> None:
        super().__init__()
        kind, width = encoder.config.model_type, encoder.config.hidden_size
        self.dropout = None if kind in _WITHOUT_DROPOUT else nn.Dropout(dropout)
        self.dense = nn.Linear(width, width)
        self.activation = activation(kind)
        nn.init.normal_(self.dense.weight, std=encoder.config.initializer_range)
        nn.init.zeros_(self.dense.bias)
        own = pretrained.own_pooler(encoder) if kind == "bert" else None
        if own is not None:
            with torch.no_grad():
                self.dense.weight.copy_(own[0])
                self.dense.bias.copy_(own[1])

    def forward(self, tokens: Tensor) -> Tensor:
        """Vector of each text, (batch, width).

        Args:
            tokens: Vectors of tokens, (batch, length, width).
        """
        first = tokens[:, 0]
        pooled: Tensor = self.activation(
            self.dense(first if self.dropout is None else self.dropout(first))
        )
        return pooled


class PooledClassifier(nn.Module):
    """An encoder with a linear classifier on one vector a text.

    Its head is drawn from torch's generator.

    Args:
        config: Hyper-parameters of the cell: pooling and dropout.
        encoder: A Hugging Face encoder, or the top blocks of one.
        num_classes: Number of classes.
    """

    def __init__(
        self, config: ClassifierTuning, encoder: PreTrainedModel, num_classes: int
    ) -> None:
        super().__init__()
        rate = hidden_dropout(encoder) if config.head_dropout is None else config.head_dropout
        self.encoder, self.pooling = encoder, config.pooling
        self.dropout = nn.Dropout(rate)
        self.classifier = nn.Linear(encoder.config.hidden_size, num_classes)
        nn.init.normal_(self.classifier.weight, std=encoder.config.initializer_range)
        nn.init.zeros_(self.classifier.bias)
        self.pooler = Pooler(encoder, rate) if config.pooling == "pooler" else None

    def classified(self, tokens: Tensor, real: Tensor) -> Tensor:
        """Logits of texts, (batch, classes).

        Args:
            tokens: Vectors of tokens, (batch, length, width).
            real: Mask of tokens that are no padding, bool (batch, length).
        """
        vector = pooled(tokens, real, self.pooling) if self.pooler is None else self.pooler(tokens)
        logits: Tensor = self.classifier(self.dropout(vector))
        return logits
