"""What a cell is trained from: its module, its inputs and its rows.

A trainable gives `build(config, base, classes)`. Its base is the encoder (or its top blocks), the
features' width for heads, and a `material.Material` where it says LEARNS_FROM_ROWS = True. It may
give more, each a function of its Config:

    stack_key(config)         the Config with all that may differ within a stack set to one value:
                              equal for cells that can train as one batched model; without it they
                              train one after another
    representation(config)    frozen features: its cells are heads on these
    trainable_blocks(config)  how many of the encoder's blocks are trained, from the top; None: all
    inner_share(config)       share of a cell's training rows to choose the epoch on; 0: none
    metadata(config)          what is made of the data's metadata; None: they are left out
    views(config)             the views of a text that a training batch holds; without it the text
    read_out(config)          what makes probabilities of a module's outputs; without it they are
                              logits
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from accelerate.utils.memory import should_reduce_batch_size
from torch import nn

from trainables.engine import (
    batches,
    binding,
    encoder,
    features,
    folds,
    inner,
    loop,
    material,
    metadata_inputs,
    prefix,
    registry,
    representation,
    seeding,
    views,
    vocabulary,
)
from trainables.engine.contract import Cell, CellResult, Scalar, Task
from trainables.engine.inputs import FeatureInputs, Inputs, TokenInputs
from trainables.engine.read_out import Evaluation, ReadOut
from trainables.engine.stack_loop import StackCell
from trainables.engine.textdata import TextData

Rows = npt.NDArray[np.int64]


def trains_heads(trainable: str) -> bool:
    """Whether a trainable's cells are heads on frozen features."""
    return registry.defines("trainables", trainable, "representation")


def stack_key(trainable: str, config: Any) -> Hashable | None:
    """Equal for cells that may share a stack; None for cells that train alone."""
    if not registry.defines("trainables", trainable, "stack_key"):
        return None
    given = registry.load("trainables", trainable, "stack_key")(config)
    # What the loop has a vector for, whatever the trainable.
    key: Hashable = dataclasses.replace(
        given, learning_rate=1.0, weight_decay=0.0, warmup_fraction=0.0, epochs=1, clip_norm=0.0
    )
    return key


def trained_blocks(task: Task, config: Any) -> int | None:
    """How many of the encoder's blocks are trained, where some are frozen.

    Raises:
        ValueError: if the encoder has fewer.
    """
    if not registry.defines("trainables", task.trainable, "trainable_blocks"):
        return None
    wanted: int | None = registry.load("trainables", task.trainable, "trainable_blocks")(config)
    if wanted is None:
        return None
    has = len(prefix.blocks(encoder.load_encoder(task.model)))
    if wanted > has:
        raise ValueError(
            f"trainable_blocks must be at most {has}, the blocks of model {task.model!r}, got "
            f"{wanted}."
        )
    return wanted if wanted < has else None


def _asked(task: Task, hook: str, config: Any) -> Any:
    """What a trainable's hook says of a config; None where it has no such hook."""
    if not registry.defines("trainables", task.trainable, hook):
        return None
    return registry.load("trainables", task.trainable, hook)(config)


def check(task: Task, configs: Iterable[Mapping[str, Scalar]]) -> None:
    """Refuse configs that the model cannot be trained by, before anything is.

    Raises:
        ValueError: naming the value and what is allowed.
    """
    if registry.defines("trainables", task.trainable, "trainable_blocks"):
        bound = (binding.bind(task.trainable, config) for config in configs)
        read = registry.load("trainables", task.trainable, "trainable_blocks")
        for config in {read(config): config for config in bound}.values():
            trained_blocks(task, config)


def check_data(task: Task, data: TextData, configs: Iterable[Mapping[str, Scalar]]) -> None:
    """Refuse configs that cannot be trained on the data: metadata or texts that are not there.

    Raises:
        ValueError: naming what is missing, and the way out.
    """
    hooks = ("inner_share", "metadata")
    if not any(registry.defines("trainables", task.trainable, hook) for hook in hooks):
        return
    bound = (binding.bind(task.trainable, config) for config in configs)
    told = {tuple(_asked(task, hook, config) for hook in hooks) for config in bound}
    for share, kind in told:
        # Too few texts of a class are too few for every seed and fold.
        inner.apart(data, task.split, 0, 0, share or 0.0)
        if kind is not None:
            metadata_inputs.table(data, kind)


def corpus(task: Task, data: TextData, config: Any) -> views.Corpus:
    """The texts that a cell's encoder is fed: the data's own, and what views and read-outs want.

    Raises:
        DataError: if the data have no such views.
    """
    wanted = _asked(task, "views", config) or (views.View(),)
    reader: ReadOut | None = _asked(task, "read_out", config)
    mask = encoder.load_tokenizer(task.model).mask_token
    return views.corpus(data, wanted, mask, () if reader is None else reader.texts)


def evaluation(task: Task, data: TextData, cell: Cell, config: Any) -> Evaluation | None:
    """What makes probabilities of a cell's outputs; None where they are logits."""
    reader: ReadOut | None = _asked(task, "read_out", config)
    if reader is None:
        return None
    fed = corpus(task, data, config)
    return Evaluation(
        reader, *rows(task, data, cell), fed.further, fed.data.labels, len(data.label_names)
    )


def tokens(task: Task, data: TextData, config: Any) -> batches.Tokens:
    """What a cell's encoder is fed: tokens, or hidden states of its frozen blocks; and metadata."""
    trained, kind = trained_blocks(task, config), _asked(task, "metadata", config)
    fed = corpus(task, data, config)
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
    if not trains_heads(task.trainable):
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
    if trains_heads(task.trainable):
        wanted = registry.load("trainables", task.trainable, "representation")(config)
        base = features.width(data, task.model, wanted)
    else:
        network, trained = encoder.load_encoder(task.model), trained_blocks(task, config)
        if trained is not None:
            base = prefix.top(network, trained)
        else:
            base = vocabulary.restricted(network, tokens(task, data, config).vocabulary)
        if registry.defines("trainables", task.trainable, "LEARNS_FROM_ROWS"):
            chosen = np.arange(len(data)) if trained_on is None else trained_on
            kind = _asked(task, "metadata", config)
            base = material.gather(data, task.model, base, kind, chosen)
    with seeding.drawing_from(seed, "init"):
        built: nn.Module = build(config, base, len(data.label_names))
    return built


def rows(task: Task, data: TextData, cell: Cell) -> tuple[Rows, Rows]:
    """A cell's training part and the rows held out, both ascending."""
    return folds.held_out(data, task.split, cell.seed, cell.fold)


def used_rows(task: Task, data: TextData, cell: Cell, config: Any) -> tuple[Rows, Rows, Rows]:
    """Rows that a cell is trained on, held out, and that choose its epoch, all ascending."""
    share = _asked(task, "inner_share", config) or 0.0
    return inner.apart(data, task.split, cell.seed, cell.fold, share)


def stack_cell(task: Task, data: TextData, cell: Cell, config: Any) -> StackCell:
    """A cell as a stack takes it."""
    train, held_out, valid = used_rows(task, data, cell, config)
    built = module(task, data, config, cell.seed, train)
    read = evaluation(task, data, cell, config)
    return StackCell(built, config, cell.seed, train, held_out, valid, read)


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
            evaluation(task, data, cell, config),
        ),
        config,
        cell.seed,
        accumulation,
        compiled,
    )


def failed(cell: Cell, error: Exception) -> CellResult:
    """What is reported of a cell that raised; an error of memory says what helps."""
    message = f"{type(error).__name__}: {error}"
    if should_reduce_batch_size(error):
        message += " (alone: lower batch_size or max_length, or give a trial more memory)"
    return CellResult(key=cell.key, status="failed", error=message)
