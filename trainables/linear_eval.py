"""Linear evaluation: one linear layer on frozen features.

The usual test of a representation: cross-entropy, AdamW, cosine decay of the learning rate.

The paper's final model is this with the representation encoder-mean, figure 5(d) with its encoder
frozen.

Source: Better Reasoning Behind Classification Predictions with BERT for Fake News Detection
(Lee), section 4.1, "Training Settings" and "Linear Evaluation".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from trainables.engine.config import TrainingConfig
from trainables.engine.features.representation import Representation, card_of, names
from trainables.engine.models.output import Output
from trainables.losses.cross_entropy import cross_entropy

VERSION = 1

# Representations that read word vectors: the Config's field of the same name says which.
_OF_VECTORS = ("word2vec", "glove")


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """Hyper-parameters of one cell.

    Attributes:
        representation: Features of a text: a file of trainables/representations.
        word2vec: Vectors of the representation word2vec: a file, or a name of gensim's downloads.
        glove: Vectors of the representation glove, in the same way.

    Raises:
        ConfigError: naming each field out of its range.
    """

    PRECISIONS: ClassVar[tuple[str, ...]] = ("fp32", "bf16")

    representation: str
    word2vec: str
    glove: str

    def rules(self) -> dict[str, bool]:
        """Rules of its own fields and the shared ones."""
        return {
            f"representation one of {', '.join(names())}": self.representation in names(),
            **super().rules(),
        }


class LinearEval(nn.Module):
    """A linear classifier.

    Args:
        features: Width of a text's features.
        num_classes: Number of classes.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, inputs: Tensor, labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: Features, (batch, features).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        logits = self.classifier(inputs)
        return Output(loss=cross_entropy(logits, labels), logits=logits)


def representation(config: Config) -> Representation:
    """Frozen features that a cell is trained on."""
    name = config.representation
    if name in _OF_VECTORS:
        return Representation(name=name, vectors=getattr(config, name))
    needs_length = card_of(name).uses_encoder
    return Representation(name=name, max_length=config.max_length if needs_length else None)


def files(config: Config) -> dict[str, str]:
    """Fields that name a file which the cell reads, with their values."""
    name = config.representation
    return {name: getattr(config, name)} if name in _OF_VECTORS else {}


def map_fault(config: Config) -> str | None:
    """Reason why there is no class activation map; None where there is."""
    if config.representation != "encoder-first":
        return None
    return (
        "The representation encoder-first is one token's vector, no mean over tokens, so it has no "
        "class activation map: use encoder-mean."
    )


def stack_key(config: Config) -> Config:
    """The config itself: all of it is a shape of the module."""
    return config


def build(config: Config, features: int, num_classes: int) -> LinearEval:
    """Build the module of one cell, drawn from torch's generator."""
    return LinearEval(features, num_classes)
