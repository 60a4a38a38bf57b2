"""TripleEntropy: fine-tuning an encoder with cross-entropy and SoftTriple together.

Equations (6) and (7), section 3 of Applying SoftTriple Loss for Supervised Language Model Fine
Tuning:

    loss = beta * cross-entropy(linear(pooled)) + (1 - beta) * SoftTriple(all tokens)

SoftTriple is fed the last layer's embedding of every real token, each with the label of its text
(section 3.1.2); the classifier one pooled vector a text (section 3.1.1), "in the same way" as
BERT's: its pooler, see trainables/engine/models/pooling.py. At beta = 1 there are no proxies at
all: the paper's cross-entropy baseline.

Differs from the paper: padding never reaches the loss, unless `padding_tokens` asks for the paper's
own code's way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from trainables.engine.config import ClassifierTuning
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import PooledClassifier, pooling_map_fault
from trainables.engine.models.pretrained import real_tokens
from trainables.engine.training import distributed
from trainables.losses.class_loss import ClassLoss
from trainables.losses.soft_triple import SoftTripleConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 4


@dataclass(frozen=True, kw_only=True)
class Config(SoftTripleConfig, ClassifierTuning):
    """Hyper-parameters of one cell; the paper's symbols in brackets.

    Attributes:
        merge_weight: Weight of SoftTriple's proxy-merging regulariser.
        padding_tokens: Feed padding to SoftTriple, too, as the paper's own code does.

    Raises:
        ConfigError: naming each field out of its range.
    """

    LEAST_BLOCKS: ClassVar[int] = 1  # With all blocks frozen SoftTriple would move no logit.

    merge_weight: float
    padding_tokens: bool

    def rules(self) -> dict[str, bool]:
        """Rules of its own fields and the shared ones."""
        return {
            "merge_weight at least 0": self.merge_weight >= 0,
            **super().rules(),
        }


class TripleEntropy(PooledClassifier):
    """An encoder with a linear classifier, and SoftTriple below beta = 1.

    Args:
        config: Hyper-parameters of the cell.
        encoder: A Hugging Face encoder, unmodified.
        num_classes: Number of classes.
    """

    beta: Tensor

    def __init__(self, config: Config, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__(config, encoder, num_classes)
        # A buffer, not a number: in a stack of cells each cell has its own.
        self.register_buffer("beta", torch.tensor(float(config.beta)), persistent=False)
        self.class_loss = ClassLoss(config, num_classes)
        self.padding_tokens = config.padding_tokens
        width = encoder.config.hidden_size
        self.soft_triple = config.loss(num_classes, width, config.merge_weight)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: Output of the tokenizer: input_ids, attention_mask ..., each (batch, length); in
                a stack the mask is (batch, 1, 1, length).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        tokens = self.encoder(**inputs).last_hidden_state  # (batch, length, width)
        real = real_tokens(inputs)
        logits = self.classified(tokens, real)
        loss = self.beta * self.class_loss(logits, labels)
        # Scoring wants no SoftTriple: it moves no logit.
        if self.soft_triple is not None and self.training:
            mask = real
            if self.padding_tokens:  # as far as the batch's own longest text, in a stack, too
                mask = real.any(dim=0, keepdim=True).expand_as(real)
            token_labels = labels[:, None].expand_as(mask)
            if inputs["attention_mask"].ndim == 2:
                distances = self.soft_triple(tokens[mask], token_labels[mask])
                distances = distributed.counted_by(distances, mask.sum(), len(labels))
            else:  # cells of a stack do not share the number of real tokens, so it is no shape
                distances = self.soft_triple(
                    tokens.flatten(0, 1), token_labels.flatten(), mask.flatten()
                )
            loss = loss + (1 - self.beta) * distances
        return Output(loss=loss, logits=logits)


def map_fault(config: Config) -> str | None:
    """Reason why there is no class activation map; None where there is."""
    return pooling_map_fault(config.pooling)


def pooling(config: Config) -> str:
    """Vector that the linear classifier sees."""
    return config.pooling


def stack_key(config: Config) -> Config:
    """Config with all values that may differ within a stack set alike."""
    return config.stacked()


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> TripleEntropy:
    """The module of one cell, head and proxies drawn from torch's generator."""
    return TripleEntropy(config, encoder, num_classes)
