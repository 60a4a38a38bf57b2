"""Assembles a cell: module, inputs and rows, by its trainable's hooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn

from trainables.engine import seeding
from trainables.engine.arrays import IntArray
from trainables.engine.cells.cell_context import CellContext
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.features import extraction
from trainables.engine.features.representation import (
    Fitted,
    card_of,
)
from trainables.engine.inputs import frozen_states, metadata_inputs, views
from trainables.engine.inputs.stack_inputs import FeatureInputs, Inputs, TokenInputs
from trainables.engine.inputs.tokens import Tokens, tokenised
from trainables.engine.models import adapters, dropout_rates, frozen_blocks, pretrained, vocabulary
from trainables.engine.models.output import LearnsLabels
from trainables.engine.splits import folds, inner_validation
from trainables.engine.stacking.cell import StackCell
from trainables.engine.text_data import TextData
from trainables.engine.training.loop import CellData, Training
from trainables.engine.training.read_out import Evaluation

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def corpus(task: Task, data: TextData, config: TrainingConfig) -> views.Corpus:
    """Collect the texts that a cell's encoder reads.

    They are the data's own, those of further views, and those of a read-out.

    Raises:
        DataError: if the data lack the texts of a view.
    """
    trainable = Trainable.load(task.trainable)
    read_out = trainable.read_out(config)
    mask = pretrained.load_tokenizer(task.model).mask_token
    views_of_text = trainable.views(config) or (views.View(),)
    return views.corpus(data, views_of_text, mask, () if read_out is None else read_out.texts)


def _evaluation(
    task: Task, data: TextData, config: TrainingConfig, train: IntArray, scored: IntArray
) -> Evaluation | None:
    """Bind the read-out to a cell's rows; None without a read-out."""
    read_out = Trainable.load(task.trainable).read_out(config)
    if read_out is None:
        return None
    texts = corpus(task, data, config)
    classes = len(data.label_names)
    return Evaluation(read_out, train, scored, texts.further, texts.data.labels, classes)


def tokens(task: Task, data: TextData, config: TrainingConfig) -> Tokens:
    """Make a cell's inputs: tokens or states of frozen blocks, and metadata."""
    trainable = Trainable.load(task.trainable)
    if trainable.tokens is not None:
        return trainable.tokens(config, data, task.model)
    texts, length = corpus(task, data, config), config.max_length
    blocks = frozen_blocks.trained_blocks(task.model, config)
    if blocks is None:
        rows = tokenised(texts.data, task.model, length)
    else:
        rows = frozen_states.tokens(texts.data, task.model, length, config.precision, blocks)
    rows = dataclasses.replace(rows, views=texts.offsets)
    kind = trainable.metadata(config)
    if kind is None:
        return rows
    values = metadata_inputs.table(data, kind)
    return dataclasses.replace(rows, inputs=metadata_inputs.WithMetadata(rows.inputs, values))


@dataclass(frozen=True, eq=False)
class StackData:
    """Cells of a stack with their inputs.

    Attributes:
        cells: Cells of the stack. Where each (seed, fold) has features of its own, row numbers
            count through all their tables: modulo the rows of the data they are the data's.
        inputs: Inputs of all rows.
        labels: Class ids of the same rows; 0 for texts that only a read-out needs.
        facts: Numbers to report with each cell.
    """

    cells: list[StackCell]
    inputs: Inputs
    labels: IntArray
    facts: Mapping[str, float]


def stack(task: Task, data: TextData, members: Sequence[tuple[Cell, TrainingConfig]]) -> StackData:
    """Assemble cells that share a stack.

    Args:
        task: Task of the cells.
        data: Data of the task.
        members: Cells with their Configs, all of one stack group.
    """
    config = members[0][1]
    representation = Trainable.load(task.trainable).representation(config)
    cells = _with_one_base(task, data, members) if representation is None else None
    if cells is None:
        cells = [stack_cell(task, data, cell, config) for cell, config in members]
    adapters.pad([cell.module for cell in cells])
    if representation is None:
        rows = tokens(task, data, config)
        return StackData(cells, TokenInputs(rows), rows.labels, {})
    blocks = [(cell.seed, cell.fold) for cell, _ in members]
    tables = extraction.tables(data, task.model, representation, task.split, blocks)
    offsets = [tables.offsets[block] for block in blocks]
    placed = [
        dataclasses.replace(
            cell,
            train=cell.train + offset,
            held_out=cell.held_out + offset,
            valid=cell.valid + offset,
            first=offset,
        )
        for cell, offset in zip(cells, offsets, strict=True)
    ]
    labels = np.tile(data.labels, len(tables.values) // len(data))
    return StackData(placed, FeatureInputs(tables.values), labels, tables.facts)


def _with_one_base(
    task: Task, data: TextData, members: Sequence[tuple[Cell, TrainingConfig]]
) -> list[StackCell] | None:
    """Assemble cells whose modules share the weights of one encoder.

    A stack copies them on its device, which takes a fraction of the time of copies here. None where
    a trainable's `build` changes the encoder that it is given: each cell then wants its own.
    """
    if Trainable.load(task.trainable).base is not None:
        return None
    shared = base(task, data, members[0][1])
    before = _identity(shared)
    cells = []
    for cell, config in members:
        cells.append(stack_cell(task, data, cell, config, shared))
        if _identity(shared) != before:
            return None
    return cells


def _identity(network: nn.Module) -> list[Hashable]:
    """Modules and tensors of a network, with the tensors' counts of writes."""
    parts: list[Hashable] = [(name, id(part)) for name, part in network.named_modules()]
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        parts.append((name, id(tensor), tensor._version, tensor.requires_grad))
    return parts


def make_features(
    task: Task, data: TextData, configs: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    """Extract features to disk, with all cores, before the cells train.

    Args:
        task: Task of the cells.
        data: Data of the task.
        configs: Complete configs.

    Returns:
        Facts of each extraction and its seconds, by representation.
    """
    trainable = Trainable.load(task.trainable)
    distinct = dict.fromkeys(trainable.representation(trainable.bind(c)) for c in configs)
    facts = {}
    for features in distinct:
        if features is not None and not isinstance(card_of(features.name), Fitted):
            extracted = extraction.extract(data, task.model, features)
            facts[features.name] = {**extracted.facts, "seconds": extracted.seconds}
    return facts


def base(task: Task, data: TextData, config: TrainingConfig) -> Any:
    """Copy the encoder of a cell, or its trained part."""
    network = encoder_of(task, config)
    blocks = frozen_blocks.trained_blocks(task.model, config)
    if blocks is not None:
        return adapters.frozen(frozen_blocks.top(network, blocks), config)
    words = tokens(task, data, config).vocabulary
    return adapters.frozen(vocabulary.restricted(network, words), config)


def module(
    task: Task,
    data: TextData,
    config: TrainingConfig,
    seed: int,
    train: IntArray | None = None,
    encoder: Any = None,
) -> nn.Module:
    """Build a cell's module: head drawn from the seed, encoder a copy.

    Args:
        task: Task of the cell.
        data: Data of the task.
        config: Config of the cell.
        seed: Seed of the cell.
        train: Training rows; None for all.
        encoder: Encoder from `base`, to build the module around; None makes a copy.
    """
    trainable = Trainable.load(task.trainable)
    features = trainable.representation(config)
    network: Any
    if features is not None:
        network = extraction.base(data, task.model, features)
    elif trainable.base is not None:
        network = trainable.base(config, data, task.model)
    else:
        network = base(task, data, config) if encoder is None else encoder
        with seeding.drawing_from(seed, "adapters"):
            network = adapters.adapted(network, config)
        if trainable.learns_from_rows:
            train = np.arange(len(data)) if train is None else train
            network = CellContext.of(data, task.model, network, trainable.metadata(config), train)
    with seeding.drawing_from(seed, "init"):
        built = trainable.build(config, network, len(data.label_names))
    for part in built.modules():
        if isinstance(part, LearnsLabels):
            part.learn_labels(data.labels if train is None else data.labels[train])
    return built


def encoder_of(task: Task, config: TrainingConfig) -> PreTrainedModel:
    """Return the encoder with the config's dropout rates, to be copied."""
    network = pretrained.load_encoder(task.model)
    if not isinstance(config, FineTuning):
        return network
    return dropout_rates.with_rates(network, config.hidden_dropout, config.attention_dropout)


def rows(task: Task, data: TextData, cell: Cell) -> tuple[IntArray, IntArray]:
    """Split the data into training and held-out rows, both ascending."""
    return folds.held_out(data, task.split, cell.seed, cell.fold)


def split_rows(
    task: Task, data: TextData, cell: Cell, config: TrainingConfig
) -> tuple[IntArray, IntArray, IntArray]:
    """Split the data into training, held-out and epoch-choosing rows, all ascending."""
    share = Trainable.load(task.trainable).inner_share(config)
    return inner_validation.apart(data, task.split, cell.seed, cell.fold, share)


def stack_cell(
    task: Task, data: TextData, cell: Cell, config: TrainingConfig, encoder: Any = None
) -> StackCell:
    """Assemble a cell that trains in a stack.

    Its module is built around the encoder, if one is given.
    """
    train, held_out, valid = split_rows(task, data, cell, config)
    scored = np.concatenate([held_out, valid])
    return StackCell(
        module=module(task, data, config, cell.seed, train, encoder),
        config=config,
        seed=cell.seed,
        train=train,
        held_out=held_out,
        valid=valid,
        evaluation=_evaluation(task, data, config, train, scored),
        ema_decay=Trainable.load(task.trainable).ema_decay(config),
        fold=cell.fold,
    )


def training(
    task: Task, data: TextData, cell: Cell, config: TrainingConfig, compiled: bool = False
) -> Training:
    """Assemble a cell that trains alone, with the fastest attention kernel."""
    parts = stack_cell(task, data, cell, config)
    inputs = tokens(task, data, config)
    rows = CellData(inputs, parts.train, parts.held_out, parts.valid, parts.evaluation, parts.fold)
    every = Trainable.load(task.trainable).step_losses(config)
    return Training(parts.module, rows, config, parts.seed, compiled, parts.ema_decay, every)


def failure(cell: Cell, error: Exception) -> CellResult:
    """Build the result of a cell that raised."""
    message = f"{type(error).__name__}: {error}"
    if should_reduce_batch_size(error):
        message += " (alone: lower batch_size or max_length, or give a trial more memory)"
    return CellResult(key=cell.key, status="failed", error=message)
