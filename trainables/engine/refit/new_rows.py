"""Rows that are not a sweep's, scored by a config that is trained on all rows that are.

What no file can hold as a network of transformers (heads on two texts and two images, metadata
beside a text, a read-out) can still be asked: the sweep's data and the further rows are one data
set with an official split, and one cell of it is trained as any cell is.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainables.engine.arrays import Float32Array, FloatArray
from trainables.engine.cells import assembly, stacks
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Scalar, Split, Task
from trainables.engine.errors import DataError, DivergedError
from trainables.engine.features import extraction, representation
from trainables.engine.refit import network as finished
from trainables.engine.text_data import ImagePair, Metadata, TextData, assemble
from trainables.engine.training.fit import fit


@dataclass(frozen=True, eq=False)
class Further:
    """Rows without labels, as the rows of a data set are.

    Attributes:
        texts: Their texts, cleaned as the data's are.
        texts_b: Second texts; None where rows are single texts.
        images: Images of text and second text; None where there are none.
        metadata: Float64 (rows, columns), nan where missing; None where all are.
    """

    texts: Sequence[str]
    texts_b: Sequence[str] | None = None
    images: Sequence[ImagePair] | None = None
    metadata: FloatArray | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> Further:
        """Some rows, in their order."""
        return Further(
            [self.texts[row] for row in rows],
            None if self.texts_b is None else [self.texts_b[row] for row in rows],
            None if self.images is None else [self.images[row] for row in rows],
            None if self.metadata is None else self.metadata[list(rows)],
        )

    @classmethod
    def of(cls, data: TextData) -> Further:
        """A data set's own rows."""
        values = None if data.metadata is None else data.metadata.values
        return cls(data.texts, data.texts_b, data.images, values)


Scorer = Callable[[Further], Float32Array]
"""From rows to class probabilities, float32 (rows, classes)."""


def scorer(task: Task, data: TextData, config: Mapping[str, Scalar], seed: int) -> Scorer:
    """A config trained on all rows: at once where it makes a network, else when it is asked.

    Args:
        task: What the sweep's cells share.
        data: Its data.
        config: Every field of the trainable's Config.
        seed: Drives init, order and dropout.

    Raises:
        DivergedError: if training diverges; the scorer raises it, too.
    """
    if finished.fault(task.trainable, config) is not None:
        return lambda rows: probabilities(task, data, config, seed, rows)
    network = finished.train(task, data, config, seed)
    return lambda rows: network.probabilities(rows.texts, rows.texts_b)


def probabilities(
    task: Task, data: TextData, config: Mapping[str, Scalar], seed: int, rows: Further
) -> Float32Array:
    """Train a config on all rows of the data and score others.

    Args:
        task: What the sweep's cells share.
        data: Its data.
        config: Every field of the trainable's Config.
        seed: Drives init, order and dropout, and which rows choose the epoch.
        rows: What to score.

    Returns:
        Class probabilities, float32 (rows, classes).

    Raises:
        DataError: if the data are pairs and the rows are not.
        DivergedError: if training diverges.
    """
    asked = _labelled(data, rows)
    both = _together(data, asked)
    task = dataclasses.replace(
        task, data_fingerprint=both.fingerprint, split=Split(holdout="official")
    )
    cell = Cell(key="beside", config=config, seed=seed, fold=0)
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    wanted = trainable.representation(bound)
    if wanted is not None:
        return _head(task, both, [data, asked], cell, bound, wanted)
    return fit(assembly.training(task, both, cell, bound), evaluate=True).probabilities


def _head(
    task: Task,
    both: TextData,
    of: Sequence[TextData],
    cell: Cell,
    config: TrainingConfig,
    wanted: representation.Representation,
) -> Float32Array:
    told: list[CellResult] = []
    with contextlib.ExitStack() as stack:
        if not isinstance(representation.card_of(wanted.name), representation.Fitted):
            stack.enter_context(extraction.joined(both, of, task.model, wanted))
        if stacks.train_stack(task, both, [(cell, config)], told.append):
            raise MemoryError(f"out of memory for {len(both):,} rows' features.")
    if told[0].status != "done":
        raise DivergedError(told[0].error)
    return told[0].probabilities


def _labelled(data: TextData, rows: Further) -> TextData:
    """The rows as a test part like the data, with labels that nobody looks at."""
    if data.texts_b is not None and rows.texts_b is None:
        raise DataError(f"{data.name} has pairs of texts: give each row's second text, too.")
    many = len(rows)
    metadata = data.metadata
    if metadata is not None:
        missing = np.full((many, len(metadata.names)), np.nan)
        metadata = Metadata(metadata.names, missing if rows.metadata is None else rows.metadata)
    nothing: list[ImagePair] = [(None, None)] * many
    return assemble(
        name=f"{many:,} further rows",
        texts=rows.texts,
        texts_b=None if data.texts_b is None else rows.texts_b,
        labels=np.zeros(many, np.int64),
        label_names=data.label_names,
        official=np.full(many, "test"),
        images=None if data.images is None else rows.images or nothing,
        metadata=metadata,
    )


def _together(data: TextData, rows: TextData) -> TextData:
    """The data as the training part and the rows as the test part of one data set."""
    metadata = data.metadata
    if metadata is not None and rows.metadata is not None:
        values = np.concatenate([metadata.values, rows.metadata.values])
        metadata = Metadata(metadata.names, values)
    both = assemble(
        name=f"{data.name} and {rows.name}",
        texts=[*data.texts, *rows.texts],
        texts_b=None if data.texts_b is None else [*data.texts_b, *(rows.texts_b or ())],
        labels=np.concatenate([data.labels, rows.labels]),
        label_names=data.label_names,
        official=np.array(["train"] * len(data) + ["test"] * len(rows)),
        images=None if data.images is None else [*data.images, *(rows.images or ())],
        metadata=metadata,
    )
    # A row that is asked about may be one of the data's: that takes none away from training.
    apart = int(data.groups.max()) + 1 + np.arange(len(rows))
    return dataclasses.replace(both, groups=np.concatenate([data.groups, apart]))
