"""Linear evaluation: one linear layer on frozen features, the usual test of a representation.

Cross-entropy, AdamW, cosine decay of the learning rate.

The paper's final model is this with the representation encoder-mean, figure 5(d) with its encoder
frozen.

Source: Better Reasoning Behind Classification Predictions with BERT for Fake News Detection
(Lee), sections 4.2 "Training Settings" and 4.3 "Linear Evaluation".
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from trainables.engine import ranges
from trainables.engine import representation as representations
from trainables.engine.output import Output
from trainables.engine.representation import Representation, names
from trainables.losses.cross_entropy import cross_entropy

VERSION = 1

_SCHEDULES = ("linear", "cosine")
# Representations that read word vectors: the Config's field of the same name says which.
_OF_VECTORS = ("word2vec", "glove")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Hyper-parameters of one cell.

    Attributes:
        representation: Which features of a text: a file of trainables/representations.
        max_length: Tokens a text at most, where an encoder reads it.
        word2vec: Vectors of the representation word2vec: a file, or a name of gensim's downloads.
        glove: Vectors of the representation glove, in the same way.
        learning_rate: Peak rate of AdamW.
        weight_decay: Of AdamW; none on the bias.
        warmup_fraction: Share of the steps that warm up linearly.
        schedule: "linear" or "cosine" decay after the warm-up.
        batch_size: Texts a step.
        epochs: Passes over the training rows.
        clip_norm: Largest norm of the gradient; 0 clips nothing.
        precision: "fp32" or "bf16".

    Raises:
        ValueError: naming each field out of its range.
    """

    representation: str
    max_length: int
    word2vec: str
    glove: str
    learning_rate: float
    weight_decay: float
    warmup_fraction: float
    schedule: str
    batch_size: int
    epochs: int
    clip_norm: float
    precision: str

    def __post_init__(self) -> None:
        rules = {
            f"representation one of {', '.join(names())}": self.representation in names(),
            "max_length at least 3": self.max_length >= 3,
            "learning_rate above 0": self.learning_rate > 0,
            **ranges.training(self, _SCHEDULES),
            "precision one of fp32, bf16": self.precision in ("fp32", "bf16"),
        }
        ranges.check("linear_eval", self, rules)


class LinearEval(nn.Module):
    """A linear classifier.

    Args:
        features: Width of a text's features.
        num_classes: Classes of the data.
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
    """The features that a cell is trained on."""
    name = config.representation
    if name in _OF_VECTORS:
        return Representation(name=name, vectors=getattr(config, name))
    needs_length = representations.card(name).uses_encoder
    return Representation(name=name, max_length=config.max_length if needs_length else None)


def files(config: Config) -> dict[str, str]:
    """The fields that name a file which a cell reads, with what they say."""
    name = config.representation
    return {name: getattr(config, name)} if name in _OF_VECTORS else {}


def map_fault(config: Config) -> str | None:
    """Why the classifier has no class activation map; None if it has one."""
    if config.representation != "encoder-first":
        return None
    return (
        "The representation encoder-first is one token's vector, no mean over tokens, so it has no "
        "class activation map: use encoder-mean."
    )


def stack_key(config: Config) -> Config:
    """What cells of a stack share: all that the loop has no vector for."""
    return config


def build(config: Config, features: int, num_classes: int) -> LinearEval:
    """The module of one cell, drawn from torch's current generator."""
    return LinearEval(features, num_classes)
