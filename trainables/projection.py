"""SoftTriple on a trainable projection of frozen sentence embeddings: TripleEntropy's cheap cousin.

    hidden = GELU(W x + b)
    loss   = beta * cross-entropy(linear(hidden)) + (1 - beta) * SoftTriple(hidden)

The loss of `trainables/triple_entropy.py` (equations 4 to 7 of Applying SoftTriple Loss for
Supervised Language Model Fine Tuning) with one embedding a text in place of one a token, and a
projection in place of the encoder. With all below the loss frozen SoftTriple could not move the
classifier; here it moves the projection. A cell takes milliseconds in a stack: for trying a grid's
shape, and for the tables that strategies are judged on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.features.representation import Representation
from trainables.engine.models.output import Output
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.soft_triple import SoftTripleConfig

VERSION = 1

_FROM_ENCODER = ("encoder-mean", "encoder-first", "word-embeddings")


@dataclass(frozen=True, kw_only=True)
class Config(SoftTripleConfig):
    """Hyper-parameters of one cell; the paper's symbols in brackets.

    Attributes:
        width: Width of the projection.
        representation: Features of a text; see `trainables/engine/features/extraction.py`.

    Raises:
        ConfigError: naming each field out of its range.
    """

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16")

    width: int
    representation: str

    def rules(self) -> dict[str, bool]:
        """Rules of its own fields and the shared ones."""
        return {
            "width at least 1": self.width >= 1,
            f"representation one of {', '.join(_FROM_ENCODER)}": self.representation
            in _FROM_ENCODER,
            **super().rules(),
        }


class Projection(nn.Module):
    """A projection with a linear classifier, and SoftTriple below beta = 1.

    Args:
        config: Hyper-parameters of the cell.
        features: Width of a text's features.
        num_classes: Number of classes.
    """

    beta: Tensor

    def __init__(self, config: Config, features: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("beta", torch.tensor(float(config.beta)), persistent=False)
        self.projection = nn.Linear(features, config.width)
        self.classifier = nn.Linear(config.width, num_classes)
        self.soft_triple = config.loss(num_classes, config.width)

    def forward(self, inputs: Tensor, labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: Features, (batch, features).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        hidden = functional.gelu(self.projection(inputs))
        logits = self.classifier(hidden)
        loss = self.beta * cross_entropy(logits, labels)
        # Scoring wants no SoftTriple: it moves no logit.
        if self.soft_triple is not None and self.training:
            loss = loss + (1 - self.beta) * self.soft_triple(hidden, labels)
        return Output(loss=loss, logits=logits)


def representation(config: Config) -> Representation:
    """Frozen features that a cell is trained on."""
    return Representation(name=config.representation, max_length=config.max_length)


def stack_key(config: Config) -> Config:
    """Config with all values that may differ within a stack set alike."""
    return config.stacked()


def build(config: Config, features: int, num_classes: int) -> Projection:
    """Build the module of one cell, drawn from torch's generator."""
    return Projection(config, features, num_classes)
