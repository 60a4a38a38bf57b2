"""A plugin of the tests: a bag of words whose cells get into the trouble that their config names.

`nap` is the seconds that a build takes: what cells of a simulation cost.
"""

from __future__ import annotations

import time
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
TROUBLES = ["none", "nan", "memory", "hangs"]


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    trouble: str
    rate: float
    nap: float = 0.0
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    warmup_fraction: float = 0.0
    schedule: str = "linear"
    batch_size: int = 16
    max_length: int = 16
    epochs: int = 1
    clip_norm: float = 0.0
    precision: str = "fp32"


class Bag(nn.Module):
    def __init__(self, words: int, classes: int, trouble: str) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(words, classes))
        self.trouble = trouble

    def forward(self, inputs: dict[str, Any], labels: torch.Tensor) -> Output:
        logits = self.weights[inputs["input_ids"]].mean(dim=1)
        loss = functional.cross_entropy(logits, labels)
        if self.trouble == "nan":
            loss = loss * float("nan")
        if self.trouble == "memory":
            torch.empty(2**50)
        while self.trouble == "hangs":
            time.sleep(60)
        return Output(loss, logits)


def build(config: Config, encoder: Any, num_classes: int) -> Bag:
    time.sleep(config.nap)
    return Bag(encoder.config.vocab_size, num_classes, config.trouble)


SPACE = Space(
    name="troubled",
    trainable="troubled",
    source="the tests",
    axes=(
        Axis(name="trouble", distribution=CategoricalDistribution(TROUBLES)),
        Axis(name="rate", distribution=CategoricalDistribution([0.01 * n for n in range(1, 51)])),
    ),
    fixed={"batch_size": 16, "nap": 0.0},
    references={},
    baseline=None,
    shape=("batch_size",),
)
