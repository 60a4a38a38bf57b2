"""What a cell is trained from: its module, its inputs and its rows.

A trainable gives `build(config, base, classes)`. Its base is the encoder (or its top blocks), the
features' width for heads, and a `material.Material` where it says LEARNS_FROM_ROWS = True. What
else it may give is in `hooks.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn

from trainables.engine import binding, registry, seeding
from trainables.engine.cells import material
from trainables.engine.cells import trainable as hooks
from trainables.engine.contract import Cell, CellResult, Scalar, Task
from trainables.engine.features import extraction as features
from trainables.engine.features import representation
from trainables.engine.inputs import frozen_states as prefix
from trainables.engine.inputs import metadata_inputs, views
from trainables.engine.inputs import tokens as batches
from trainables.engine.inputs.stack_inputs import FeatureInputs, Inputs, TokenInputs
from trainables.engine.models import frozen_blocks, vocabulary
from trainables.engine.models import pretrained as encoder
from trainables.engine.splits import folds
from trainables.engine.splits import inner_validation as inner
from trainables.engine.stacking.trainer import StackCell
from trainables.engine.text_data import TextData
from trainables.engine.training import loop
from trainables.engine.training.read_out import Evaluation, ReadOut

Rows = npt.NDArray[np.int64]


def check_data(task: Task, data: TextData, configs: Iterable[Mapping[str, Scalar]]) -> None:
    """Refuse configs that cannot be trained on the data: metadata or texts that are not there.

    Raises:
        ValueError: naming what is missing, and the way out.
    """
    configs = list(configs)
    if registry.defines("trainables", task.trainable, "check_data"):
        own = registry.load("trainables", task.trainable, "check_data")
        for config in configs:
            own(binding.bind(task.trainable, config), data)
    names = ("inner_share", "metadata", "views")
    if not any(registry.defines("trainables", task.trainable, name) for name in names):
        return
    bound = [binding.bind(task.trainable, config) for config in configs]
    told = {tuple(hooks.asked(task, name, config) for name in names): config for config in bound}
    for (share, kind, seen), config in told.items():
        # Too few texts of a class are too few for every seed and fold.
        inner.apart(data, task.split, 0, 0, share or 0.0)
        if kind is not None:
            metadata_inputs.table(data, kind)
        if seen is not None:
            corpus(task, data, config)


def corpus(task: Task, data: TextData, config: Any) -> views.Corpus:
    """The texts that a cell's encoder is fed: the data's own, and what views and read-outs want.

    Raises:
        DataError: if the data have no such views.
    """
    wanted: tuple[views.View, ...] = hooks.asked(task, "views", config) or (views.View(),)
    reader: ReadOut | None = hooks.asked(task, "read_out", config)
    mask = encoder.load_tokenizer(task.model).mask_token
    return views.corpus(data, wanted, mask, () if reader is None else reader.texts)


def _evaluation(
    task: Task, data: TextData, config: Any, train: Rows, scored: Rows
) -> Evaluation | None:
    """What makes probabilities of a cell's outputs; None where they are logits."""
    reader: ReadOut | None = hooks.asked(task, "read_out", config)
    if reader is None:
        return None
    fed = corpus(task, data, config)
    return Evaluation(reader, train, scored, fed.further, fed.data.labels, len(data.label_names))


def tokens(task: Task, data: TextData, config: Any) -> batches.Tokens:
    """What a cell's encoder is fed: tokens, or hidden states of its frozen blocks; and metadata."""
    if registry.defines("trainables", task.trainable, "tokens"):
        own: batches.Tokens = registry.load("trainables", task.trainable, "tokens")(
            config, data, task.model
        )
        return own
    fed, trained = corpus(task, data, config), hooks.trained_blocks(task, config)
    kind = hooks.asked(task, "metadata", config)
    if trained is not None:
        given = prefix.tokens(fed.data, task.model, config.max_length, config.precision, trained)
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
    labels: Rows
    facts: Mapping[str, float]


def stack(task: Task, data: TextData, members: Sequence[tuple[Cell, Any]]) -> StackData:
    """Cells that share a stack, with what they are fed.

    Args:
        task: What they share.
        data: Its data.
        members: Each cell with its Config; all of one `stack_key`.
    """
    cells = [stack_cell(task, data, cell, config) for cell, config in members]
    config = members[0][1]
    if not hooks.trains_heads(task.trainable, config):
        given = tokens(task, data, config)
        return StackData(cells, TokenInputs(given), given.labels, {})
    wanted = registry.load("trainables", task.trainable, "representation")(config)
    blocks = [(cell.seed, cell.fold) for cell, _ in members]
    tables = features.tables(data, task.model, wanted, task.split, blocks)
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
    wanted = registry.load("trainables", task.trainable, "representation")
    distinct = dict.fromkeys(wanted(binding.bind(task.trainable, one)) for one in configs)
    distinct.pop(None, None)
    found = {}
    for one in distinct:
        if not isinstance(representation.card(one.name), representation.Fitted):
            made = features.made(data, task.model, one)
            found[one.name] = {**made.facts, "seconds": made.seconds}
    return found


def module(
    task: Task, data: TextData, config: Any, seed: int, trained_on: Rows | None = None
) -> nn.Module:
    """A cell's module, its head drawn from the seed; an encoder is a fresh copy.

    Args:
        task: What the cells share.
        data: Its data.
        config: The cell's Config.
        seed: The cell's seed.
        trained_on: The rows that it will be trained on; None for all.
    """
    build = registry.load("trainables", task.trainable, "build")
    base: Any
    if hooks.trains_heads(task.trainable, config):
        wanted = registry.load("trainables", task.trainable, "representation")(config)
        base = features.base(data, task.model, wanted)
    elif registry.defines("trainables", task.trainable, "base"):
        base = registry.load("trainables", task.trainable, "base")(config, data, task.model)
    else:
        network, trained = encoder.load_encoder(task.model), hooks.trained_blocks(task, config)
        if trained is not None:
            base = frozen_blocks.top(network, trained)
        else:
            base = vocabulary.restricted(network, tokens(task, data, config).vocabulary)
        if registry.defines("trainables", task.trainable, "LEARNS_FROM_ROWS"):
            chosen = np.arange(len(data)) if trained_on is None else trained_on
            kind = hooks.asked(task, "metadata", config)
            base = material.gather(data, task.model, base, kind, chosen)
    with seeding.drawing_from(seed, "init"):
        built: nn.Module = build(config, base, len(data.label_names))
    return built


def rows(task: Task, data: TextData, cell: Cell) -> tuple[Rows, Rows]:
    """A cell's training part and the rows held out, both ascending."""
    return folds.held_out(data, task.split, cell.seed, cell.fold)


def used_rows(task: Task, data: TextData, cell: Cell, config: Any) -> tuple[Rows, Rows, Rows]:
    """Rows that a cell is trained on, held out, and that choose its epoch, all ascending."""
    share = hooks.asked(task, "inner_share", config) or 0.0
    return inner.apart(data, task.split, cell.seed, cell.fold, share)


def stack_cell(task: Task, data: TextData, cell: Cell, config: Any) -> StackCell:
    """A cell as a stack takes it."""
    train, held_out, valid = used_rows(task, data, cell, config)
    built = module(task, data, config, cell.seed, train)
    read = _evaluation(task, data, config, train, np.concatenate([held_out, valid]))
    decay = hooks.asked(task, "ema_decay", config) or 0.0
    return StackCell(built, config, cell.seed, train, held_out, valid, read, decay, cell.fold)


def alone(
    task: Task,
    data: TextData,
    cell: Cell,
    config: Any,
    accumulation: int = 1,
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
        accumulation,
        compiled,
        hooks.asked(task, "ema_decay", config) or 0.0,
    )


def failed(cell: Cell, error: Exception) -> CellResult:
    """What is reported of a cell that raised; an error of memory says what helps."""
    message = f"{type(error).__name__}: {error}"
    if should_reduce_batch_size(error):
        message += " (alone: lower batch_size or max_length, or give a trial more memory)"
    return CellResult(key=cell.key, status="failed", error=message)
