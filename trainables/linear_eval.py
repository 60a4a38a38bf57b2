"""Linear evaluation: one linear layer on frozen features.

It is the usual test of a representation: cross-entropy, AdamW, cosine decay of the learning rate.

With the representation encoder-mean it is the paper's final model, figure 5(d) with a frozen
encoder.

Source: Better Reasoning Behind Classification Predictions with BERT for Fake News Detection
(Lee), sections 4.2 "Training Settings" and 4.3 "Linear Evaluation".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from trainables.engine.config import TrainingConfig
from trainables.engine.features import representation as representations
from trainables.engine.features.representation import Representation, names
from trainables.engine.models.output import Output
from trainables.losses.cross_entropy import cross_entropy

VERSION = 1

# Representations that read word vectors, named by the Config's field of the same name.
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
        """Return the rules of its own fields and of the shared ones."""
        return {
            f"representation one of {', '.join(names())}": self.representation in names(),
            **super().rules(),
        }


class LinearEval(nn.Module):
    """A linear classifier.

    Args:
        features: Width of a text's features.
        num_classes: Number of classes of the data.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, inputs: Tensor, labels: Tensor) -> Output:
        """Return loss and logits of a batch.

        Args:
            inputs: Features, (batch, features).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        logits = self.classifier(inputs)
        return Output(loss=cross_entropy(logits, labels), logits=logits)


def representation(config: Config) -> Representation:
    """Return the features that a cell is trained on."""
    name = config.representation
    if name in _OF_VECTORS:
        return Representation(name=name, vectors=getattr(config, name))
    needs_length = representations.card(name).uses_encoder
    return Representation(name=name, max_length=config.max_length if needs_length else None)


def files(config: Config) -> dict[str, str]:
    """Return the fields that name a file, with their values."""
    name = config.representation
    return {name: getattr(config, name)} if name in _OF_VECTORS else {}


def map_fault(config: Config) -> str | None:
    """Return the reason against class activation maps, None without any."""
    if config.representation != "encoder-first":
        return None
    return (
        "The representation encoder-first is one token's vector, no mean over tokens, so it has no "
        "class activation map: use encoder-mean."
    )


def stack_key(config: Config) -> Config:
    """Return the fields that cells of a stack share: all."""
    return config


def build(config: Config, features: int, num_classes: int) -> LinearEval:
    """Return the module of one cell.

    It is drawn from torch's current generator.
    """
    return LinearEval(features, num_classes)
