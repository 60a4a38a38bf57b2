"""Tweets: a head on an encoder's pooled output, the best epoch chosen.

Fake News Classification with BERT (Malakhov, Patruno, Bocconi, MediaEval 2020), section 3.2: "a
simple linear layer on the output of the BERT base", Adam "without weight decay for bias and
normalization layers". Section 5's outlook is here as hyper-parameters: several layers in the head,
metadata beside the text, other encoders; class weights are ours.

    pooled = tanh(W first token + b), the encoder's own pooler
    logits = head([dropout(pooled), scaled metadata])
    loss   = sum_i w[y_i] (-log softmax(logits_i)[y_i]) / sum_i w[y_i]

The epoch is chosen by accuracy per class. Differs from the paper: on rows kept apart within the
training part, never on those that are scored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.engine.config import ClassifierTuning
from trainables.engine.inputs import metadata_inputs
from trainables.engine.models.dropout_rates import hidden_dropout
from trainables.engine.models.output import Output
from trainables.engine.models.pooling import mean_over_tokens
from trainables.engine.models.pretrained import real_tokens
from trainables.losses.class_loss import ClassLoss

if TYPE_CHECKING:
    from trainables.engine.cells.cell_context import CellContext

VERSION = 2
# Class weights and the scale of metadata come from the training rows.
LEARNS_FROM_ROWS = True

_METADATA = ("none", "log", "standard")


@dataclass(frozen=True, kw_only=True)
class Config(ClassifierTuning):
    """Hyper-parameters of one cell.

    Attributes:
        head_layers: Linear layers of the head; those before the last are as wide as the encoder,
            with ReLU and dropout behind.
        metadata: "none"; "standard": the data's columns less their mean over their spread, of the
            rows trained on; "log": the same of sign(x) ln(1 + |x|), for counts. A missing value is
            the mean, with a 1 in a column that says so.
        pooling: "pooler" (the encoder's own, drawn where it was not pretrained), "cls" (first
            token) or "mean" (over real tokens).
        head_dropout: Share of the head's vectors that is dropped in training; none for the
            encoder's own rate.
        head_rate: Learning rate of the head, in multiples of the encoder's: at an encoder's rate a
            new weight hardly moves, and metadata are hardly heard.
        step_losses: Steps between two losses that are kept, of the batch and of the rows that are
            kept apart (the paper's figures 1 and 2: 1); 0 keeps none. Such cells train alone.

    Raises:
        ConfigError: naming each field out of its range.
    """

    head_layers: int
    class_weights: str = field()  # the paper's own: no later settings, as they are elsewhere
    metadata: str
    inner_share: float = field()
    head_rate: float
    step_losses: int = 0

    def rules(self) -> dict[str, bool]:
        """Rules of its own fields and the shared ones."""
        return {
            "head_layers at least 1": self.head_layers >= 1,
            f"class_weights one of {', '.join(self.WEIGHTS)}": self.class_weights in self.WEIGHTS,
            f"metadata one of {', '.join(_METADATA)}": self.metadata in _METADATA,
            "head_rate above 0": self.head_rate > 0,
            "step_losses at least 0": self.step_losses >= 0,
            **super().rules(),
        }


class Tweets(nn.Module):
    """A head of linear layers on an encoder's pooled output and metadata.

    Args:
        config: Hyper-parameters of the cell.
        context: Encoder, and labels and metadata of the training rows.
        num_classes: Number of classes.
    """

    head_rate: Tensor

    def __init__(self, config: Config, context: CellContext, num_classes: int) -> None:
        super().__init__()
        encoder = context.network
        width = encoder.config.hidden_size
        spread = encoder.config.initializer_range
        self.encoder, self.pooling = encoder, config.pooling
        share = hidden_dropout(encoder) if config.head_dropout is None else config.head_dropout
        self.dropout = nn.Dropout(share)
        self.pooler = _pooler(context, width, spread) if config.pooling == "pooler" else None
        # Buffers, not numbers: in a stack of cells each cell has its own.
        self.loss = ClassLoss(config, num_classes, mixed=True)
        self.loss.learn_labels(context.labels)
        rate = torch.tensor(float(config.head_rate))
        self.register_buffer("head_rate", rate, persistent=False)
        self.scaling = None if context.metadata is None else Scaling(context.metadata)
        columns = 0 if context.metadata is None else context.metadata.shape[1]
        inputs = [width + columns, *[width] * (config.head_layers - 1)]
        outputs = [*[width] * (config.head_layers - 1), num_classes]
        layers = [nn.Linear(*sizes) for sizes in zip(inputs, outputs, strict=True)]
        self.head = nn.ModuleList(layers)
        for layer in layers:
            # The forward pass multiplies by the rate: the head starts as it would at any rate.
            nn.init.normal_(layer.weight, std=spread / config.head_rate)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: dict[str, Tensor], labels: Tensor) -> Output:
        """Loss and logits of a batch.

        Args:
            inputs: Output of the tokenizer: input_ids, attention_mask ..., each (batch, length); in
                a stack the mask is (batch, 1, 1, length). With `metadata`, (batch, numbers), where
                the config joins them.
            labels: Class ids, (batch,).

        Returns:
            A scalar loss and logits (batch, classes).
        """
        words = {name: part for name, part in inputs.items() if name != metadata_inputs.NAME}
        tokens = self.encoder(**words).last_hidden_state  # (batch, length, width)
        hidden = self.dropout(self._pooled(tokens, words))
        if self.scaling is not None:
            scaled = self.scaling(inputs[metadata_inputs.NAME])
            hidden = torch.cat([hidden, scaled.to(hidden.dtype)], dim=-1)
        last = len(self.head) - 1
        for number, layer in enumerate(self.head):
            # Adam's step is as long for any gradient, so a weight's multiplier is its rate.
            hidden = layer(hidden) * self.head_rate
            if number < last:
                hidden = self.dropout(functional.relu(hidden))
        return Output(loss=self.loss(hidden.float(), labels), logits=hidden)

    def _pooled(self, tokens: Tensor, words: dict[str, Tensor]) -> Tensor:
        if self.pooling == "mean":
            return mean_over_tokens(tokens, real_tokens(words))
        if self.pooler is None:
            return tokens[:, 0]
        return torch.tanh(self.pooler(tokens[:, 0]))


class Scaling(nn.Module):
    """Standardises metadata by mean and spread of the training rows.

    Args:
        rows: Metadata of the training rows, as `metadata_inputs.table` has them, (rows, 2 x
            columns).
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        values, missing = rows.double().chunk(2, dim=1)
        known = 1 - missing
        count = known.sum(dim=0).clamp(min=1)
        mean = (values * known).sum(dim=0) / count
        spread = (((values - mean) * known).square().sum(dim=0) / count).sqrt()
        # A column that is the same in all these rows says nothing, whatever other rows hold.
        factor = torch.where(spread > 0, 1 / spread, torch.zeros_like(spread))
        self.register_buffer("mean", mean.float(), persistent=False)
        self.register_buffer("factor", factor.float(), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Scale a batch, (batch, 2 x columns); missing values are 0."""
        values, missing = rows.chunk(2, dim=-1)
        return torch.cat([(values - self.mean) * self.factor * (1 - missing), missing], dim=-1)


def _pooler(context: CellContext, width: int, spread: float) -> nn.Linear:
    pooler = nn.Linear(width, width)
    nn.init.normal_(pooler.weight, std=spread)
    nn.init.zeros_(pooler.bias)
    if context.pooler is not None:
        with torch.no_grad():
            pooler.weight.copy_(context.pooler[0])
            pooler.bias.copy_(context.pooler[1])
    return pooler


def step_losses(config: Config) -> int:
    """Steps between two losses that are kept."""
    return config.step_losses


def metadata(config: Config) -> str | None:
    """Scale of the metadata; None leaves them out."""
    return None if config.metadata == "none" else config.metadata


def stack_key(config: Config) -> Config:
    """Config with all values that may differ within a stack set alike."""
    return replace(config, class_weights="none", label_smoothing=0.0, head_rate=1.0)


def build(config: Config, context: CellContext, num_classes: int) -> Tweets:
    """Build the module of one cell, its head drawn from torch's generator."""
    return Tweets(config, context, num_classes)
