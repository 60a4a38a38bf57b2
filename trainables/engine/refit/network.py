"""A config trained to be used: one network from texts to classes, free of the sweep around it.

A config can be saved as a model of transformers where its classifier is linear on one vector of an
encoder: by the hook `Trainable.pooling`, or as a head on an encoder's features. `fault` says so
before anything is trained.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.cells import assembly
from trainables.engine.cells.trainable import Pooling, Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Scalar, Task
from trainables.engine.errors import NotServedError
from trainables.engine.features import extraction, representation
from trainables.engine.features.pooled_encoder import PooledEncoder
from trainables.engine.features.representation import Representation
from trainables.engine.models import pretrained
from trainables.engine.models.pooling import mean_over_tokens
from trainables.engine.refit import tuned_encoder
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.stacking.fit_stack import fit_head
from trainables.engine.text_data import TextData
from trainables.engine.training import loop
from trainables.engine.training.fit import Fit, fit

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Layer = Literal["output", "embeddings"]

_TEXTS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Finished:
    """A trained network.

    Attributes:
        encoder: Whole again: all blocks, all words.
        head: From a vector of the encoder to logits: Linear, or Linear, GELU, Linear.
        layer: Which vectors of tokens: the last layer's, or the word embeddings alone.
        pooling: How they become one.
        tokenizer: Of the encoder.
        max_length: Tokens a text at most.
        label_names: Class names by id.
        pairs: Whether a row is two texts.
        epochs: Metrics after each epoch; training loss only says something, since the rows that
            are scored were trained on.
    """

    encoder: PreTrainedModel
    head: nn.Module
    layer: Layer
    pooling: Pooling
    tokenizer: PreTrainedTokenizerBase
    max_length: int
    label_names: tuple[str, ...]
    pairs: bool
    epochs: tuple[Mapping[str, float], ...] = ()

    def logits(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Logits of a batch, (batch, classes).

        Args:
            inputs: What the tokenizer gives, each (batch, length).
        """
        if self.layer == "embeddings":
            hidden: Tensor = self.encoder.get_input_embeddings()(inputs["input_ids"])
        else:
            hidden = self.encoder(**inputs).last_hidden_state
        real = inputs["attention_mask"].bool()
        pooled = hidden[:, 0] if self.pooling == "cls" else mean_over_tokens(hidden, real)
        given: Tensor = self.head(pooled)
        return given

    @torch.inference_mode()
    def probabilities(
        self, texts: Sequence[str], texts_b: Sequence[str] | None = None
    ) -> Float32Array:
        """Class probabilities of texts, or of pairs, float32 (texts, classes)."""
        self.encoder.eval()
        self.head.eval()
        device = next(self.head.parameters()).device
        found = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = slice(start, start + _TEXTS_AT_ONCE)
            second = None if texts_b is None else list(texts_b[part])
            given = self.tokenizer(
                list(texts[part]),
                second,
                truncation=True,
                max_length=min(self.max_length, self.tokenizer.model_max_length),
                padding=True,
                return_tensors="pt",
            )
            inputs = {name: value.to(device) for name, value in given.items()}
            found.append(torch.softmax(self.logits(inputs).float(), dim=-1).cpu().numpy())
        return np.concatenate(found)


def fault(trainable: str, config: Mapping[str, Scalar]) -> str | None:
    """Why a config cannot be saved as a network from texts to classes; None if it can.

    Args:
        trainable: Its trainable.
        config: Every field of its Config.
    """
    entry = Trainable.load(trainable)
    bound = entry.bind(config)
    features = entry.representation(bound)
    if features is not None:
        if isinstance(representation.card_of(features.name), PooledEncoder):
            return None
        return (
            f"The representation {features.name!r} is no encoder's, so there is no network from "
            "texts to classes to be saved."
        )
    if entry.pooling(bound) is not None:
        return None
    return (
        f"The trainable {trainable!r} is no linear classifier on one vector of an encoder (it has "
        "no hook pooling(config)), so no folder of transformers can hold it; `foldrace predict` "
        "trains it for a file."
    )


def train(
    task: Task,
    data: TextData,
    config: Mapping[str, Scalar],
    seed: int,
    rows: IntArray | None = None,
    fold: int = 0,
) -> Finished:
    """Train a config on all rows, or on some.

    Args:
        task: What the sweep's cells share.
        data: Its data.
        config: Every field of the trainable's Config.
        seed: Drives init, order and dropout.
        rows: Which rows to train on, ascending; None for all.
        fold: Decides, with the seed, what is dropped: a cell's, to train what the cell trained.

    Raises:
        NotServedError: if the config has no network from texts to classes.
        DivergedError: if training diverges.
    """
    found = fault(task.trainable, config)
    if found is not None:
        raise NotServedError(found)
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    rows = np.arange(len(data)) if rows is None else rows
    wanted = trainable.representation(bound)
    if wanted is not None:
        return _head(task, data, bound, wanted, seed, rows)
    return _fine_tuned(task, data, bound, seed, rows, fold)


def _head(
    task: Task,
    data: TextData,
    config: TrainingConfig,
    wanted: Representation,
    seed: int,
    rows: IntArray,
) -> Finished:
    card = representation.card_of(wanted.name)
    if not isinstance(card, PooledEncoder):
        raise NotServedError(f"The representation {wanted.name!r} is no encoder's.")
    values = extraction.load(data, task.model, wanted)
    trained = train_head(task, data, config, seed, values, rows)
    head = trained.module
    layers: list[nn.Module] = [head.classifier]
    if hasattr(head, "projection"):
        layers = [head.projection, nn.GELU(), *layers]
    return Finished(
        encoder=copy.deepcopy(pretrained.load_encoder(task.model)),
        head=nn.Sequential(*layers) if len(layers) > 1 else layers[0],
        layer=card.layer,
        pooling="cls" if card.pooling == "first" else "mean",
        tokenizer=pretrained.load_tokenizer(task.model),
        max_length=config.max_length,
        label_names=data.label_names,
        pairs=data.texts_b is not None,
        epochs=tuple(trained.epochs),
    )


def train_head(
    task: Task, data: TextData, config: TrainingConfig, seed: int, values: Tensor, rows: IntArray
) -> Fit:
    """Train a config's head on frozen features.

    Args:
        task: What the sweep's cells share.
        data: Its data.
        config: The trainable's Config.
        seed: Drives init and order.
        values: The features, (rows of the data, width).
        rows: Which rows to train on, ascending.

    Returns:
        A Fit whose module has a linear `classifier`.

    Raises:
        DivergedError: if training diverges.
    """
    head = assembly.module(task, data, config, seed, rows)
    return fit_head(head, config, values, data.labels, seed, rows)


def _fine_tuned(
    task: Task, data: TextData, config: TrainingConfig, seed: int, rows: IntArray, fold: int
) -> Finished:
    tokens = assembly.tokens(task, data, config)
    cell = loop.CellData(tokens, rows, NO_ROWS, fold=fold)
    drawn = assembly.module(task, data, config, seed, rows)
    fitted = fit(loop.Training(drawn, cell, config, seed))
    module = fitted.module
    device = next(module.classifier.parameters()).device
    pooling = Trainable.load(task.trainable).pooling(config)
    if pooling is None:
        raise NotServedError(f"The trainable {task.trainable!r} has no vector to classify.")
    return Finished(
        encoder=tuned_encoder.whole(task, config, module.encoder, tokens).to(device),
        head=module.classifier,
        layer="output",
        pooling=pooling,
        tokenizer=pretrained.load_tokenizer(task.model),
        max_length=config.max_length,
        label_names=data.label_names,
        pairs=data.texts_b is not None,
        epochs=tuple(fitted.epochs),
    )
