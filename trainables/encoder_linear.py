"""Lee's final model: an encoder, mean over tokens, one linear layer.

Its top blocks are trained. Figure 5(d) of Better Reasoning Behind Classification Predictions with
BERT for Fake News Detection, with the paper's proposal (section 4.2): "fine-tuning some part of the
BERT's transformer encoder (e.g., a few top blocks)". With 0 blocks it is the linear evaluation's
encoder-mean, trained from tokens. The pooled mean makes class activation maps exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.config import FineTuning
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import mean_over_tokens
from trainables.engine.models.pretrained import real_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Config(FineTuning):
    """Hyper-parameters of one cell.

    With 0 blocks the linear layer alone is trained.
    """


class EncoderLinear(nn.Module):
    """An encoder with a linear layer on the mean over tokens.

    Args:
        encoder: Encoder of Hugging Face, or the top blocks of one.
        num_classes: Number of classes of the data.
    """

    def __init__(self, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.config.hidden_size, num_classes)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Return loss and logits of a batch.

        Args:
            inputs: Inputs by the tokenizer's names: input_ids, attention_mask ..., each (batch,
                length); in a stack the mask is (batch, 1, 1, length).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        tokens = self.encoder(**inputs).last_hidden_state  # (batch, length, width)
        logits = self.classifier(mean_over_tokens(tokens, real_tokens(inputs)))
        return Output(loss=functional.cross_entropy(logits, labels), logits=logits)


def map_fault(config: Config) -> str | None:
    """Return None: every config has a class activation map."""
    return None


def pooling(config: Config) -> str:
    """Return the pooling of the classifier's vector."""
    return "mean"


def stack_key(config: Config) -> Config:
    """Return the fields that cells of a stack share: all."""
    return config


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> EncoderLinear:
    """Return the module of one cell.

    Its head is drawn from torch's current generator.
    """
    return EncoderLinear(encoder, num_classes)
