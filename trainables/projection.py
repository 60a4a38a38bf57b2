"""SoftTriple on a trainable projection of frozen sentence embeddings: TripleEntropy's cheap cousin.

    hidden = GELU(W x + b)
    loss   = beta * cross-entropy(linear(hidden)) + (1 - beta) * SoftTriple(hidden)

The loss of `trainables/triple_entropy.py` (equations 4 to 7 of Applying SoftTriple Loss for
Supervised Language Model Fine Tuning) with one embedding a text in place of one a token, and a
projection in place of the encoder. With all below the loss frozen SoftTriple could not move the
classifier; the projection is what it moves. A cell takes milliseconds in a stack: for trying a
grid's shape, and for the tables that strategies are judged on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.config import TrainingConfig
from trainables.engine.features.representation import Representation
from trainables.engine.models.output import Output
from trainables.losses.cross_entropy import cross_entropy
from trainables.losses.soft_triple import SoftTripleLoss

VERSION = 1

_FROM_ENCODER = ("encoder-mean", "encoder-first", "word-embeddings")


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Hyper-parameters of one cell; the paper's symbols in brackets.

    Attributes:
        k: Proxies per class.
        gamma: Softness of the choice among a class's proxies.
        scale: Sharpness of the softmax over classes [lambda].
        margin: What the true class must win by, in cosine similarity [delta].
        beta: Weight of cross-entropy; 1 trains without SoftTriple.
        width: Of the projection.
        representation: Which features of a text; see `trainables/engine/features/extraction.py`.

    Raises:
        ConfigError: naming each field out of its range.
    """

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16")

    k: int
    gamma: float
    scale: float
    margin: float
    beta: float
    width: int
    representation: str

    def rules(self) -> dict[str, bool]:
        """Those of its own fields and the shared ones."""
        return {
            "k at least 1": self.k >= 1,
            "gamma above 0": self.gamma > 0,
            "scale above 0": self.scale > 0,
            "margin in [0, 1]": 0 <= self.margin <= 1,
            "beta in [0, 1]": 0 <= self.beta <= 1,
            "width at least 1": self.width >= 1,
            f"representation one of {', '.join(_FROM_ENCODER)}": self.representation
            in _FROM_ENCODER,
            **super().rules(),
        }


class Projection(nn.Module):
    """A projection with a linear classifier and, below beta = 1, a SoftTriple loss.

    Args:
        config: The cell's hyper-parameters.
        features: Width of a text's features.
        num_classes: Classes of the data.
    """

    beta: Tensor

    def __init__(self, config: Config, features: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("beta", torch.tensor(float(config.beta)), persistent=False)
        self.projection = nn.Linear(features, config.width)
        self.classifier = nn.Linear(config.width, num_classes)
        self.soft_triple = (
            None
            if config.beta == 1
            else SoftTripleLoss(
                num_classes,
                config.width,
                config.k,
                gamma=config.gamma,
                scale=config.scale,
                margin=config.margin,
            )
        )

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
    """The features that a cell is trained on."""
    return Representation(name=config.representation, max_length=config.max_length)


def stack_key(config: Config) -> Config:
    """What cells of a stack share: at beta = 1 there are no proxies, so that is a shape."""
    return replace(config, gamma=1.0, scale=1.0, margin=0.0, beta=float(config.beta == 1))


def build(config: Config, features: int, num_classes: int) -> Projection:
    """The module of one cell, drawn from torch's current generator."""
    return Projection(config, features, num_classes)
