"""Lee's final model: a linear layer on a partly trained encoder's mean.

Figure 5(d) of Better Reasoning Behind Classification Predictions with BERT for Fake News Detection.
Training top blocks is the paper's proposal for later (section 4.2): "fine-tuning some part of the
BERT's transformer encoder (e.g., a few top blocks)". With 0 blocks it is the linear evaluation's
encoder-mean, trained from tokens. Class activation maps are exact since the classifier stands on a
mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from trainables.engine.config import ClassifierTuning
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import Pooler, pooled, pooling_map_fault
from trainables.engine.models.pretrained import real_tokens
from trainables.losses.class_loss import ClassLoss

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Config(ClassifierTuning):
    """Hyper-parameters of one cell; 0 blocks train the linear layer alone.

    Attributes:
        head_dropout: Share of the classifier's input that is dropped in training, and of a
            pooler's; none for 0, as in the paper.
    """

    pooling: str = "mean"


class EncoderLinear(nn.Module):
    """An encoder with a linear layer on one vector of each text.

    Args:
        config: Hyper-parameters of the cell.
        encoder: A Hugging Face encoder, or the top blocks of one.
        num_classes: Number of classes.
    """

    def __init__(self, config: Config, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__()
        rate = config.head_dropout or 0.0
        self.encoder, self.pooling = encoder, config.pooling
        self.dropout = nn.Dropout(rate)
        self.classifier = nn.Linear(encoder.config.hidden_size, num_classes)
        self.pooler = Pooler(encoder, rate) if config.pooling == "pooler" else None
        self.loss = ClassLoss(config, num_classes)

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
        if self.pooler is None:
            vector = pooled(tokens, real_tokens(inputs), self.pooling)
        else:
            vector = self.pooler(tokens)
        logits = self.classifier(self.dropout(vector))
        return Output(loss=self.loss(logits, labels), logits=logits)


def map_fault(config: Config) -> str | None:
    """Reason why there is no class activation map; None where there is."""
    return pooling_map_fault(config.pooling)


def pooling(config: Config) -> str:
    """Vector that the linear classifier sees."""
    return config.pooling


def stack_key(config: Config) -> Config:
    """The config itself: all of it is a shape of the module."""
    return config


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> EncoderLinear:
    """Build the module of one cell, its head drawn from torch's generator."""
    return EncoderLinear(config, encoder, num_classes)
