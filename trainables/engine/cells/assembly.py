"""What a cell is trained from: its module, its inputs and its rows.

What a trainable says of its cells is in `trainable.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn

from trainables.engine import registry, seeding
from trainables.engine.arrays import IntArray
from trainables.engine.cells.cell_context import CellContext
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.contract import Cell, CellResult, Task
from trainables.engine.features import extraction, representation
from trainables.engine.inputs import frozen_states, metadata_inputs, views
from trainables.engine.inputs import tokens as batches
from trainables.engine.inputs.stack_inputs import FeatureInputs, Inputs, TokenInputs
from trainables.engine.models import frozen_blocks, pretrained, vocabulary
from trainables.engine.splits import folds, inner_validation
from trainables.engine.stacking.trainer import StackCell
from trainables.engine.text_data import TextData
from trainables.engine.training import loop
from trainables.engine.training.read_out import Evaluation


def check(task: Task, data: TextData, configs: Sequence[TrainingConfig]) -> None:
    """Refuse configs that the model or the data cannot train.

    Args:
        task: The task of the sweep.
        data: Its data.
        configs: Configs of its trainable.

    Raises:
        InputError: naming what is missing, and the way out.
    """
    check_blocks(task, configs)
    trainable = Trainable.load(task.trainable)
    needs = {}
    for config in configs:
        with registry.plugin_rules("trainables", task.trainable):
            trainable.check_data(config, data)
        share, kind = trainable.inner_share(config), trainable.metadata(config)
        needs[share, kind, trainable.views(config)] = config
    for (share, kind, seen), config in needs.items():
        if share:  # too few texts of a class are too few for every seed and fold
            inner_validation.apart(data, task.split, 0, 0, share)
        if kind is not None:
            metadata_inputs.table(data, kind)
        if seen is not None:
            corpus(task, data, config)


def check_blocks(task: Task, configs: Sequence[TrainingConfig]) -> None:
    """Refuse configs that train more blocks than the model has.

    Raises:
        ConfigError: naming the number and what is allowed.
    """
    blocks = {c.trainable_blocks: c for c in configs if isinstance(c, FineTuning)}
    for config in blocks.values():
        frozen_blocks.trained_blocks(task.model, config)


def corpus(task: Task, data: TextData, config: TrainingConfig) -> views.Corpus:
    """The texts that a cell's encoder is fed: the data's own, and what views and read-outs want.

    Raises:
        DataError: if the data have no such views.
    """
    trainable = Trainable.load(task.trainable)
    reader = trainable.read_out(config)
    mask = pretrained.load_tokenizer(task.model).mask_token
    seen = trainable.views(config) or (views.View(),)
    return views.corpus(data, seen, mask, () if reader is None else reader.texts)


def _evaluation(
    task: Task, data: TextData, config: TrainingConfig, train: IntArray, scored: IntArray
) -> Evaluation | None:
    """What makes probabilities of a cell's outputs; None where they are logits."""
    reader = Trainable.load(task.trainable).read_out(config)
    if reader is None:
        return None
    fed = corpus(task, data, config)
    return Evaluation(reader, train, scored, fed.further, fed.data.labels, len(data.label_names))


def tokens(task: Task, data: TextData, config: TrainingConfig) -> batches.Tokens:
    """What a cell's encoder is fed: tokens, or hidden states of its frozen blocks; and metadata."""
    trainable = Trainable.load(task.trainable)
    if trainable.tokens is not None:
        return trainable.tokens(config, data, task.model)
    fed, trained = corpus(task, data, config), frozen_blocks.trained_blocks(task.model, config)
    kind = trainable.metadata(config)
    if trained is not None:
        given = frozen_states.tokens(
            fed.data, task.model, config.max_length, config.precision, trained
        )
    else:
        given = batches.tokenised(fed.data, task.model, config.max_length)
    given = dataclasses.replace(given, views=fed.offsets)
    if kind is None:
        return given
    values = metadata_inputs.table(data, kind)
    return dataclasses.replace(given, inputs=metadata_inputs.WithMetadata(given.inputs, values))


@dataclass(frozen=True, eq=False)
class StackData:
    """A stack, ready to be trained.

    Attributes:
        cells: Its cells. Their rows count through the tables of features one after another, where
            cells have tables of their own: modulo the rows of the data they are the data's.
        inputs: All rows.
        labels: Class ids of the same rows; of texts that only a read-out wants, 0.
        facts: What to report with each cell.
    """

    cells: list[StackCell]
    inputs: Inputs
    labels: IntArray
    facts: Mapping[str, float]


def stack(task: Task, data: TextData, members: Sequence[tuple[Cell, TrainingConfig]]) -> StackData:
    """Cells that share a stack, with what they are fed.

    Args:
        task: What they share.
        data: Its data.
        members: Each cell with its Config; all of one `stack_key`.
    """
    cells = [stack_cell(task, data, cell, config) for cell, config in members]
    config = members[0][1]
    wanted = Trainable.load(task.trainable).representation(config)
    if wanted is None:
        given = tokens(task, data, config)
        return StackData(cells, TokenInputs(given), given.labels, {})
    blocks = [(cell.seed, cell.fold) for cell, _ in members]
    tables = extraction.tables(data, task.model, wanted, task.split, blocks)
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


def make_features(
    task: Task, data: TextData, configs: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    """Make the features that configs want and that lie on disk, with all cores, before the cells.

    Args:
        task: What the cells share.
        data: Its data.
        configs: Complete configs.

    Returns:
        What each extraction had to report, and its seconds, by representation.
    """
    trainable = Trainable.load(task.trainable)
    distinct = dict.fromkeys(trainable.representation(trainable.bind(one)) for one in configs)
    found = {}
    for one in distinct:
        if one is not None and not isinstance(representation.card(one.name), representation.Fitted):
            made = extraction.made(data, task.model, one)
            found[one.name] = {**made.facts, "seconds": made.seconds}
    return found


def module(
    task: Task,
    data: TextData,
    config: TrainingConfig,
    seed: int,
    trained_on: IntArray | None = None,
) -> nn.Module:
    """A cell's module, its head drawn from the seed; an encoder is a fresh copy.

    Args:
        task: What the cells share.
        data: Its data.
        config: The cell's Config.
        seed: The cell's seed.
        trained_on: The rows that it will be trained on; None for all.
    """
    trainable = Trainable.load(task.trainable)
    wanted = trainable.representation(config)
    base: Any
    if wanted is not None:
        base = extraction.base(data, task.model, wanted)
    elif trainable.base is not None:
        base = trainable.base(config, data, task.model)
    else:
        network = pretrained.load_encoder(task.model)
        trained = frozen_blocks.trained_blocks(task.model, config)
        if trained is not None:
            base = frozen_blocks.top(network, trained)
        else:
            base = vocabulary.restricted(network, tokens(task, data, config).vocabulary)
        if trainable.learns_from_rows:
            chosen = np.arange(len(data)) if trained_on is None else trained_on
            kind = trainable.metadata(config)
            base = CellContext.of(data, task.model, base, kind, chosen)
    with seeding.drawing_from(seed, "init"):
        return trainable.build(config, base, len(data.label_names))


def rows(task: Task, data: TextData, cell: Cell) -> tuple[IntArray, IntArray]:
    """A cell's training part and the rows held out, both ascending."""
    return folds.held_out(data, task.split, cell.seed, cell.fold)


def used_rows(
    task: Task, data: TextData, cell: Cell, config: TrainingConfig
) -> tuple[IntArray, IntArray, IntArray]:
    """Rows that a cell is trained on, held out, and that choose its epoch, all ascending."""
    share = Trainable.load(task.trainable).inner_share(config)
    return inner_validation.apart(data, task.split, cell.seed, cell.fold, share)


def stack_cell(task: Task, data: TextData, cell: Cell, config: TrainingConfig) -> StackCell:
    """A cell as a stack takes it."""
    train, held_out, valid = used_rows(task, data, cell, config)
    built = module(task, data, config, cell.seed, train)
    read = _evaluation(task, data, config, train, np.concatenate([held_out, valid]))
    decay = Trainable.load(task.trainable).ema_decay(config)
    return StackCell(built, config, cell.seed, train, held_out, valid, read, decay, cell.fold)


def alone(
    task: Task,
    data: TextData,
    cell: Cell,
    config: TrainingConfig,
    compiled: bool = False,
) -> loop.Training:
    """A cell's own training: the plain path, with the fastest attention kernel."""
    train, held_out, valid = used_rows(task, data, cell, config)
    return loop.Training(
        module(task, data, config, cell.seed, train),
        loop.CellData(
            tokens(task, data, config),
            train,
            held_out,
            valid,
            _evaluation(task, data, config, train, np.concatenate([held_out, valid])),
            cell.fold,
        ),
        config,
        cell.seed,
        compiled,
        Trainable.load(task.trainable).ema_decay(config),
    )


def failed(cell: Cell, error: Exception) -> CellResult:
    """What is reported of a cell that raised; an error of memory says what helps."""
    message = f"{type(error).__name__}: {error}"
    if should_reduce_batch_size(error):
        message += " (alone: lower batch_size or max_length, or give a trial more memory)"
    return CellResult(key=cell.key, status="failed", error=message)
