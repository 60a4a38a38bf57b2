"""Trains a config to be used: one network from texts to classes.

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
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.contract import Scalar, Task
from trainables.engine.errors import DivergedError, NotServedError
from trainables.engine.features import extraction, representation
from trainables.engine.features.pooled_encoder import PooledEncoder
from trainables.engine.features.representation import Representation
from trainables.engine.inputs.stack_inputs import FeatureInputs
from trainables.engine.models import adapters, pretrained
from trainables.engine.models.adapters import Learnt
from trainables.engine.models.pooling import pooled
from trainables.engine.refit import tuned_encoder
from trainables.engine.splits import inner_validation
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.fit_stack import fit_head
from trainables.engine.stacking.trainer import StackTraining
from trainables.engine.text_data import TextData
from trainables.engine.training import loop
from trainables.engine.training.epoch_choice import Choice
from trainables.engine.training.fit import Fit, fit

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Layer = Literal["output", "embeddings"]

_TEXTS_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class FinalNetwork:
    """A trained network from texts to classes.

    Attributes:
        encoder: Encoder with all its blocks and words.
        head: Layers from a pooled vector to logits: Linear, or Linear, an activation, Linear.
        layer: Vectors of tokens: the last layer's, or the word embeddings alone.
        pooling: Pooling of the tokens' vectors.
        tokenizer: Tokenizer of the encoder.
        max_length: Number of tokens at which texts are cut, no more than the encoder has places.
        label_names: Class names by id.
        pairs: True where a row is two texts.
        epochs: Training loss and seconds of each epoch.
        adapters: Adapters that were trained; None without any. The encoder has them merged.
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
    adapters: Learnt | None = None

    def logits(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Logits of a batch, (batch, classes).

        Args:
            inputs: Output of the tokenizer, each (batch, length).
        """
        if self.layer == "embeddings":
            hidden: Tensor = self.encoder.get_input_embeddings()(inputs["input_ids"])
        else:
            hidden = self.encoder(**inputs).last_hidden_state
        vectors = pooled(hidden, inputs["attention_mask"].bool(), self.pooling)
        logits: Tensor = self.head(vectors)
        return logits

    @torch.inference_mode()
    def probabilities(
        self, texts: Sequence[str], texts_b: Sequence[str] | None = None
    ) -> Float32Array:
        """Class probabilities of texts, or of pairs, float32 (texts, classes)."""
        self.encoder.eval()
        self.head.eval()
        device = next(self.head.parameters()).device
        probabilities = []
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            part = slice(start, start + _TEXTS_AT_ONCE)
            second = None if texts_b is None else list(texts_b[part])
            encoded = self.tokenizer(
                list(texts[part]),
                second,
                truncation=True,
                max_length=self.max_length,
                padding=True,
                return_tensors="pt",
            )
            inputs = {name: value.to(device) for name, value in encoded.items()}
            logits = self.logits(inputs).float()
            probabilities.append(torch.softmax(logits, dim=-1).cpu().numpy())
        return np.concatenate(probabilities)


def fault(trainable: str, config: Mapping[str, Scalar]) -> str | None:
    """Reason why a config cannot be saved as one network, or None.

    Args:
        trainable: Name of the trainable.
        config: Complete config.
    """
    entry = Trainable.load(trainable)
    if entry.train is not None:
        return "A function of your own trains it: it is no network, so no folder can hold it."
    bound = entry.bind(config)
    if entry.estimator(bound) is not None:
        return "It is no network but a classifier of counted words, so no folder can hold it."
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
) -> FinalNetwork:
    """Train a config on all rows, or on some.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Complete config.
        seed: Seed of init, order and dropout.
        rows: Rows to train on, ascending; None for all.
        fold: Fold that decides dropout, with the seed: a cell's, to train what the cell trained.

    Raises:
        NotServedError: if the config has no network from texts to classes.
        DivergedError: if training diverges.
    """
    reason = fault(task.trainable, config)
    if reason is not None:
        raise NotServedError(reason)
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    rows = np.arange(len(data)) if rows is None else rows
    features = trainable.representation(bound)
    if features is not None:
        return _head(task, data, bound, features, seed, rows)
    return _fine_tuned(task, data, bound, seed, rows, fold)


def _head(
    task: Task,
    data: TextData,
    config: TrainingConfig,
    features: Representation,
    seed: int,
    rows: IntArray,
) -> FinalNetwork:
    card = representation.card_of(features.name)
    if not isinstance(card, PooledEncoder):
        raise NotServedError(f"The representation {features.name!r} is no encoder's.")
    values = extraction.load(data, task.model, features)
    trained = train_head(task, data, config, seed, values, rows)
    head = trained.module
    layers: list[nn.Module] = [head.classifier]
    if hasattr(head, "projection"):
        layers = [head.projection, nn.GELU(), *layers]
    return FinalNetwork(
        encoder=copy.deepcopy(pretrained.load_encoder(task.model)),
        head=nn.Sequential(*layers) if len(layers) > 1 else layers[0],
        layer=card.layer,
        pooling="cls" if card.pooling == "first" else "mean",
        tokenizer=pretrained.load_tokenizer(task.model),
        max_length=pretrained.text_limit(task.model, config.max_length),
        label_names=data.label_names,
        pairs=data.texts_b is not None,
        epochs=tuple(trained.epochs),
    )


def train_head(
    task: Task, data: TextData, config: TrainingConfig, seed: int, values: Tensor, rows: IntArray
) -> Fit:
    """Train a config's head on frozen features.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Config of the head.
        seed: Seed of init and order.
        values: Features of all rows, (rows, width).
        rows: Rows to train on, ascending.

    Returns:
        A Fit whose module has a linear `classifier`.

    Raises:
        DivergedError: if training diverges.
    """
    share = Trainable.load(task.trainable).inner_share(config)
    if not share:
        head = assembly.module(task, data, config, seed, rows)
        return fit_head(head, config, values, data.labels, seed, rows)
    train, valid = inner_validation.of_rows(data, rows, seed, share)
    head = assembly.module(task, data, config, seed, train)
    training = StackTraining(
        [StackCell(head, config, seed, train, NO_ROWS, valid)], FeatureInputs(values), data.labels
    )
    choice, best = Choice(data.labels[valid]), head
    for epoch in range(1, config.epochs + 1):
        loss = float(training.epoch(epoch - 1)[0])
        if not np.isfinite(loss):
            raise DivergedError(f"the training loss became {loss} in epoch {epoch}")
        choice.see(epoch, np.zeros((0, 0), np.float32), training.predict()[0])
        if choice.facts["chosen_epoch"] == epoch:
            best = copy.deepcopy(training.trained(0))
        if choice.over(epoch, config.patience):
            break
    return Fit(NO_ROWS, choice.probabilities, facts=choice.facts, module=best)


def _fine_tuned(
    task: Task, data: TextData, config: TrainingConfig, seed: int, rows: IntArray, fold: int
) -> FinalNetwork:
    trainable = Trainable.load(task.trainable)
    tokens = assembly.tokens(task, data, config)
    share = trainable.inner_share(config)
    train, valid = inner_validation.of_rows(data, rows, seed, share) if share else (rows, NO_ROWS)
    cell = loop.CellData(tokens, train, valid, valid, fold=fold)
    drawn = assembly.module(task, data, config, seed, train)
    # The weights of the epoch that the rows kept apart choose; without any, of the last one.
    fitted = fit(loop.Training(drawn, cell, config, seed), evaluate=share > 0)
    module = fitted.module
    device = next(module.classifier.parameters()).device
    pooling = trainable.pooling(config)
    if pooling is None:
        raise NotServedError(f"The trainable {task.trainable!r} has no vector to classify.")
    head: nn.Module = module.classifier
    if pooling == "pooler":
        head = nn.Sequential(module.pooler.dense, module.pooler.activation, head)
    learnt = None
    if isinstance(config, FineTuning) and config.lora_rank:
        original = pretrained.load_encoder(task.model)
        learnt = adapters.learnt(module.encoder, original, config, task.model)
    return FinalNetwork(
        encoder=tuned_encoder.whole(task, config, module.encoder, tokens).to(device),
        head=head,
        layer="output",
        pooling="mean" if pooling == "mean" else "cls",
        tokenizer=pretrained.load_tokenizer(task.model),
        max_length=pretrained.text_limit(task.model, config.max_length),
        label_names=data.label_names,
        pairs=data.texts_b is not None,
        epochs=tuple(fitted.epochs),
        adapters=learnt,
    )
