"""Retrains a config on all rows, to attribute its logits to words.

Sweeps keep scores, not models. A head on frozen features takes milliseconds, a fine-tuned encoder
as long as one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.engine import registry
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Scalar, Task
from trainables.engine.errors import NoMapError
from trainables.engine.features import extraction, pooled_encoder, representation
from trainables.engine.features.representation import Fitted, Parts, Representation
from trainables.engine.refit import network
from trainables.engine.refit.linear_layer import LinearLayer
from trainables.engine.text_data import TextData


@dataclass(frozen=True)
class Reader:
    """A trained classifier whose logits are sums over parts of texts.

    Attributes:
        layer: Last layer of the classifier.
        parts: Splits texts into parts, in order.
    """

    layer: LinearLayer
    parts: Callable[[Sequence[str]], Iterator[Parts]]


def map_fault(trainable: str, config: Mapping[str, Scalar]) -> str | None:
    """Reason why a config has no class activation map, or None."""
    entry = Trainable.load(trainable)
    if entry.train is not None:
        return "A function of your own has no class activation map."
    if entry.map_fault is None:
        return (
            f"The trainable {trainable!r} has no linear layer on a mean over tokens, so no class "
            f"activation map. These have one where they pool by the mean: {', '.join(_mapped())}."
        )
    return entry.map_fault(entry.bind(config))


def _mapped() -> list[str]:
    """Names of the trainables that may have a class activation map."""
    names = registry.names("trainables")
    return [name for name in names if registry.defines("trainables", name, "map_fault")]


def refit(task: Task, data: TextData, config: Mapping[str, Scalar], seed: int) -> Reader:
    """Train a config on all rows.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Complete config.
        seed: Seed of init, order and dropout.

    Raises:
        NoMapError: if the config has no class activation map.
        DivergedError: if training diverges.
    """
    fault = map_fault(task.trainable, config)
    if fault is not None:
        raise NoMapError(fault)
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    features = trainable.representation(bound)
    if features is not None:
        return _head(task, data, bound, features, seed)
    return _fine_tuned(task, data, config, seed)


def _head(
    task: Task, data: TextData, config: TrainingConfig, features: Representation, seed: int
) -> Reader:
    card = representation.card_of(features.name)
    rows = np.arange(len(data))
    if isinstance(card, Fitted):
        table, fitted = card.fit(extraction.fitted_counts(data, features.name), rows)
        values = torch.from_numpy(table)

        def parts(texts: Sequence[str]) -> Iterator[Parts]:
            return card.fitted_parts(texts, fitted)
    else:
        values = extraction.load(data, task.model, features)

        def parts(texts: Sequence[str]) -> Iterator[Parts]:
            attributed = card.parts(texts, task.model, features)
            if attributed is None:
                raise NoMapError(f"The features {features.name!r} are no sum over parts.")
            return attributed

    head = network.train_head(task, data, config, seed, values, rows).module
    return Reader(_layer(head.classifier.weight, head.classifier.bias), parts)


def _fine_tuned(task: Task, data: TextData, config: Mapping[str, Scalar], seed: int) -> Reader:
    trained = network.train(task, data, config, seed)
    encoder: Any = trained.encoder.eval()
    device = next(encoder.parameters()).device

    def hidden(inputs: dict[str, Tensor]) -> Tensor:
        moved = {name: value.to(device) for name, value in inputs.items()}
        output: Tensor = encoder(**moved).last_hidden_state
        return output

    def parts(texts: Sequence[str]) -> Iterator[Parts]:
        return pooled_encoder.token_parts(texts, trained.tokenizer, trained.max_length, hidden)

    classifier: Any = trained.head
    return Reader(_layer(classifier.weight, classifier.bias), parts)


def _layer(weight: Tensor, bias: Tensor) -> LinearLayer:
    return LinearLayer(weight.detach().float().cpu().numpy(), bias.detach().float().cpu().numpy())
