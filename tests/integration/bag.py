"""A plugin of the tests: a bag of words that trains in no time, with a field that does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from optuna.distributions import CategoricalDistribution
from torch import nn
from torch.nn import functional

from spaces import Axis, Space
from trainables.engine.config import TrainingConfig
from trainables.engine.models.output import Output

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    colour: str
    learning_rate: float
    weight_decay: float = 0.0
    warmup_fraction: float = 0.0
    schedule: str = "linear"
    batch_size: int = 16
    max_length: int = 16
    epochs: int = 1
    clip_norm: float = 0.0
    precision: str = "fp32"


class Bag(nn.Module):
    def __init__(self, words: int, classes: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(words, classes))

    def forward(self, inputs: dict[str, Any], labels: torch.Tensor) -> Output:
        logits = self.weights[inputs["input_ids"]].mean(dim=1)
        return Output(functional.cross_entropy(logits, labels), logits)


def build(config: Config, encoder: Any, num_classes: int) -> Bag:
    return Bag(encoder.config.vocab_size, num_classes)


SPACE = Space(
    name="bag",
    trainable="bag",
    source="the tests",
    axes=(
        Axis(name="colour", distribution=CategoricalDistribution(["red", "blue"])),
        Axis(name="learning_rate", distribution=CategoricalDistribution([1e-4, 1e-2, 1.0])),
    ),
    fixed={"batch_size": 16},
    references={},
    baseline=None,
    shape=("batch_size",),
)
