"""TripleEntropy: fine-tuning an encoder with cross-entropy and SoftTriple together.

Equations (6) and (7), section 3 of Applying SoftTriple Loss for Supervised Language Model Fine
Tuning:

    loss = beta * cross-entropy(linear(pooled)) + (1 - beta) * SoftTriple(all tokens)

SoftTriple is fed the last layer's embedding of every real token, each with the label of its text
(section 3.1.2); the classifier one pooled vector a text (section 3.1.1). At beta = 1 there are no
proxies at all: the paper's cross-entropy baseline.

Differs from the paper: padding never reaches the loss, unless `padding_tokens` asks for the paper's
own code's way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.config import FineTuning
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import mean_over_tokens, pooling_map_fault
from trainables.engine.models.pretrained import hidden_dropout, real_tokens
from trainables.engine.training import distributed
from trainables.losses.soft_triple import SoftTripleLoss

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSION = 4

_POOLINGS = ("cls", "mean")


@dataclass(frozen=True, kw_only=True)
class Config(FineTuning):
    """Hyper-parameters of one cell; the paper's symbols in brackets.

    Attributes:
        k: Proxies per class.
        gamma: Softness of the choice among a class's proxies.
        scale: Sharpness of the softmax over classes [lambda].
        margin: What the true class must win by, in cosine similarity [delta].
        beta: Weight of cross-entropy; 1 trains without SoftTriple.
        merge_weight: Weight of SoftTriple's proxy-merging regulariser.
        padding_tokens: Feed padding to SoftTriple, too, as the paper's own code does.
        pooling: "cls" (first token) or "mean" (over real tokens) for the classifier.

    Raises:
        ConfigError: naming each field out of its range.
    """

    LEAST_BLOCKS: ClassVar[int] = 1  # With all blocks frozen SoftTriple would move no logit.

    k: int
    gamma: float
    scale: float
    margin: float
    beta: float
    merge_weight: float
    padding_tokens: bool
    pooling: str

    def rules(self) -> dict[str, bool]:
        """Those of its own fields and the shared ones."""
        return {
            "k at least 1": self.k >= 1,
            "gamma above 0": self.gamma > 0,
            "scale above 0": self.scale > 0,
            "margin in [0, 1]": 0 <= self.margin <= 1,
            "beta in [0, 1]": 0 <= self.beta <= 1,
            "merge_weight at least 0": self.merge_weight >= 0,
            f"pooling one of {', '.join(_POOLINGS)}": self.pooling in _POOLINGS,
            **super().rules(),
        }


class TripleEntropy(nn.Module):
    """An encoder with a linear classifier and, below beta = 1, a SoftTriple loss on its tokens.

    Args:
        config: The cell's hyper-parameters.
        encoder: A Hugging Face encoder, unmodified.
        num_classes: Classes of the data.
    """

    beta: Tensor

    def __init__(self, config: Config, encoder: PreTrainedModel, num_classes: int) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        # A buffer, not a number: in a stack of cells each cell has its own.
        self.register_buffer("beta", torch.tensor(float(config.beta)), persistent=False)
        self.pooling, self.padding_tokens = config.pooling, config.padding_tokens
        self.dropout = nn.Dropout(hidden_dropout(encoder))
        self.classifier = nn.Linear(width, num_classes)
        nn.init.normal_(self.classifier.weight, std=encoder.config.initializer_range)
        nn.init.zeros_(self.classifier.bias)
        self.soft_triple = (
            None
            if config.beta == 1
            else SoftTripleLoss(
                num_classes,
                width,
                config.k,
                gamma=config.gamma,
                scale=config.scale,
                margin=config.margin,
                merge_weight=config.merge_weight,
            )
        )

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: What the tokenizer gave: input_ids, attention_mask ..., each (batch, length); in
                a stack the mask is (batch, 1, 1, length).
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        tokens = self.encoder(**inputs).last_hidden_state  # (batch, length, width)
        real = real_tokens(inputs)
        logits = self.classifier(self.dropout(self._pooled(tokens, real)))
        loss = self.beta * functional.cross_entropy(logits, labels)
        # Scoring wants no SoftTriple: it moves no logit.
        if self.soft_triple is not None and self.training:
            fed = real
            if self.padding_tokens:  # as far as the batch's own longest text, in a stack, too
                fed = real.any(dim=0, keepdim=True).expand_as(real)
            of_token = labels[:, None].expand_as(fed)
            if inputs["attention_mask"].ndim == 2:
                distances = self.soft_triple(tokens[fed], of_token[fed])
                distances = distributed.counted_by(distances, fed.sum(), len(labels))
            else:  # how many tokens are real is no shape that cells of a stack share
                distances = self.soft_triple(
                    tokens.flatten(0, 1), of_token.flatten(), fed.flatten()
                )
            loss = loss + (1 - self.beta) * distances
        return Output(loss=loss, logits=logits)

    def _pooled(self, tokens: Tensor, real: Tensor) -> Tensor:
        if self.pooling == "cls":
            return tokens[:, 0]
        return mean_over_tokens(tokens, real)


def map_fault(config: Config) -> str | None:
    """Why the classifier has no class activation map; None if it has one."""
    return pooling_map_fault(config.pooling)


def pooling(config: Config) -> str:
    """Which vector the linear classifier sees: "cls" or "mean"."""
    return config.pooling


def stack_key(config: Config) -> Config:
    """What cells of a stack share: at beta = 1 there are no proxies, so that is a shape."""
    return replace(config, gamma=1.0, scale=1.0, margin=0.0, beta=float(config.beta == 1))


def build(config: Config, encoder: PreTrainedModel, num_classes: int) -> TripleEntropy:
    """The module of one cell, its head and proxies drawn from torch's current generator."""
    return TripleEntropy(config, encoder, num_classes)
