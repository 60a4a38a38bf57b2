"""Trains one cell; exports the names that a trainable of yours needs.

Example:
    A head on frozen features, which drops some of them, trained on six texts' features:

    >>> from dataclasses import dataclass
    >>> import torch
    >>> from torch import nn
    >>> from trainables import Output, Trainable, TrainingConfig, fit_head
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Config(TrainingConfig):
    ...     dropout: float
    >>> class Head(nn.Module):
    ...     def __init__(self, config, width, num_classes):
    ...         super().__init__()
    ...         self.dropout = nn.Dropout(config.dropout)
    ...         self.classifier = nn.Linear(width, num_classes)
    ...     def forward(self, inputs, labels):
    ...         logits = self.classifier(self.dropout(inputs))
    ...         return Output(loss=nn.functional.cross_entropy(logits, labels), logits=logits)
    >>> mine = Trainable(name="mine", version=1, Config=Config, build=Head)
    >>> config = mine.bind({
    ...     "dropout": 0.1, "learning_rate": 0.1, "weight_decay": 0.0, "warmup_fraction": 0.0,
    ...     "schedule": "linear", "batch_size": 3, "max_length": 64, "epochs": 20, "clip_norm": 0.0,
    ...     "precision": "fp32",
    ... })
    >>> features = torch.tensor(
    ...     [[1.0, 0.1], [0.9, 0.0], [0.8, 0.3], [0.1, 1.0], [0.0, 0.7], [0.2, 0.8]]
    ... )
    >>> labels = torch.tensor([0, 0, 0, 1, 1, 1])
    >>> head = fit_head(mine.build(config, 2, 2), config, features, labels.numpy()).module
    >>> head.eval()(features, labels).logits.argmax(dim=1).tolist()
    [0, 0, 0, 1, 1, 1]

    A sweep takes it from a file, `--plugin mine.py`, that defines VERSION, Config and build; see
    `Trainable` for all that the file may define.

Names are looked up when they are used: a command that trains nothing imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.engine.cells.cell_context import CellContext
    from trainables.engine.cells.trainable import Trainable
    from trainables.engine.config import FineTuning, TrainingConfig
    from trainables.engine.datasets.dataset_card import DatasetCard
    from trainables.engine.errors import ConfigError, DataError, FoldraceError
    from trainables.engine.features.representation import Representation
    from trainables.engine.inputs.views import View
    from trainables.engine.models.dropout_rates import hidden_dropout
    from trainables.engine.models.output import Output
    from trainables.engine.models.pooling import mean_over_tokens, pooled
    from trainables.engine.models.pretrained import EncoderCard, real_tokens
    from trainables.engine.registry import register_plugin
    from trainables.engine.stacking.fit_stack import fit_head
    from trainables.engine.text_data import TextData
    from trainables.engine.training.read_out import Outputs, Reading, ReadOut

__all__ = [
    "CellContext",
    "ConfigError",
    "DataError",
    "DatasetCard",
    "EncoderCard",
    "FineTuning",
    "FoldraceError",
    "Output",
    "Outputs",
    "ReadOut",
    "Reading",
    "Representation",
    "TextData",
    "Trainable",
    "TrainingConfig",
    "View",
    "fit_head",
    "hidden_dropout",
    "mean_over_tokens",
    "pooled",
    "real_tokens",
    "register_plugin",
]

_HOME = {
    "CellContext": "cells.cell_context",
    "ConfigError": "errors",
    "DataError": "errors",
    "DatasetCard": "datasets.dataset_card",
    "EncoderCard": "models.pretrained",
    "FineTuning": "config",
    "FoldraceError": "errors",
    "Output": "models.output",
    "Outputs": "training.read_out",
    "ReadOut": "training.read_out",
    "Reading": "training.read_out",
    "Representation": "features.representation",
    "TextData": "text_data",
    "Trainable": "cells.trainable",
    "TrainingConfig": "config",
    "View": "inputs.views",
    "fit_head": "stacking.fit_stack",
    "hidden_dropout": "models.dropout_rates",
    "mean_over_tokens": "models.pooling",
    "pooled": "models.pooling",
    "real_tokens": "models.pretrained",
    "register_plugin": "registry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'trainables' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"trainables.engine.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
