"""Scores new rows with a config retrained on all the data.

Configs that cannot be saved as a model of transformers (heads on two texts and two images, metadata
beside a text, a read-out) are trained for the new rows: the sweep's data and the new rows become
one data set with an official split, of which one cell is trained as any cell is.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainables.engine.arrays import Float32Array, FloatArray
from trainables.engine.cells import assembly, stacks
from trainables.engine.cells.estimator import fitted_probabilities
from trainables.engine.cells.trainable import Trainable
from trainables.engine.config import TrainingConfig
from trainables.engine.contract import Cell, CellResult, Scalar, Split, Task
from trainables.engine.errors import DataError, DivergedError
from trainables.engine.features import extraction
from trainables.engine.features.representation import Fitted, Representation, card_of
from trainables.engine.refit import function_rows, network
from trainables.engine.text_data import ImagePair, Metadata, TextData, assemble
from trainables.engine.training.fit import fit


@dataclass(frozen=True, eq=False)
class UnlabelledRows:
    """Rows like those of a data set, without labels.

    Attributes:
        texts: Texts, cleaned as the data's are.
        texts_b: Second texts; None where rows are single texts.
        images: Images of text and second text; None without images.
        metadata: Metadata, float64 (rows, columns), nan where missing; None where all are.
    """

    texts: Sequence[str]
    texts_b: Sequence[str] | None = None
    images: Sequence[ImagePair] | None = None
    metadata: FloatArray | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> UnlabelledRows:
        """Take some rows, in their order."""
        return UnlabelledRows(
            [self.texts[row] for row in rows],
            None if self.texts_b is None else [self.texts_b[row] for row in rows],
            None if self.images is None else [self.images[row] for row in rows],
            None if self.metadata is None else self.metadata[list(rows)],
        )

    @classmethod
    def of(cls, data: TextData) -> UnlabelledRows:
        """Take the rows of a data set."""
        values = None if data.metadata is None else data.metadata.values
        return cls(data.texts, data.texts_b, data.images, values)


Scorer = Callable[[UnlabelledRows], Float32Array]
"""From rows to class probabilities, float32 (rows, classes)."""


def scorer(task: Task, data: TextData, config: Mapping[str, Scalar], seed: int) -> Scorer:
    """Make a scorer of a config that is trained on all rows.

    A config that makes a network is trained at once, others for each call.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Complete config.
        seed: Seed of init, order and dropout.

    Raises:
        DivergedError: if training diverges; the scorer raises it, too.
    """
    if Trainable.load(task.trainable).train is not None:
        return lambda rows: function_rows.probabilities(
            task, data, config, seed, rows.texts, rows.texts_b
        )
    if network.fault(task.trainable, config) is not None:
        return lambda rows: probabilities(task, data, config, seed, rows)
    trained = network.train(task, data, config, seed)
    return lambda rows: trained.probabilities(rows.texts, rows.texts_b)


def probabilities(
    task: Task, data: TextData, config: Mapping[str, Scalar], seed: int, rows: UnlabelledRows
) -> Float32Array:
    """Train a config on all rows of the data and score others.

    Args:
        task: Task of the sweep.
        data: Data of the task.
        config: Complete config.
        seed: Seed of init, order, dropout, and of the rows that choose the epoch.
        rows: Rows to score.

    Returns:
        Class probabilities, float32 (rows, classes).

    Raises:
        DataError: if the data are pairs and the rows are not.
        DivergedError: if training diverges.
    """
    test = _as_test_part(data, rows)
    joined = _joined(data, test)
    task = dataclasses.replace(
        task, data_fingerprint=joined.fingerprint, split=Split(holdout="official")
    )
    cell = Cell(key="beside", config=config, seed=seed, fold=0)
    trainable = Trainable.load(task.trainable)
    bound = trainable.bind(config)
    classifier = trainable.estimator(bound)
    if classifier is not None:
        everything = np.arange(len(data))
        return fitted_probabilities(
            classifier, joined, everything, len(data) + np.arange(len(test))
        )
    features = trainable.representation(bound)
    if features is not None:
        return _head(task, joined, [data, test], cell, bound, features)
    return fit(assembly.training(task, joined, cell, bound), evaluate=True).probabilities


def _head(
    task: Task,
    joined: TextData,
    parts: Sequence[TextData],
    cell: Cell,
    config: TrainingConfig,
    features: Representation,
) -> Float32Array:
    results: list[CellResult] = []
    with contextlib.ExitStack() as stack:
        if not isinstance(card_of(features.name), Fitted):
            stack.enter_context(extraction.joined(joined, parts, task.model, features))
        if stacks.train_stack(task, joined, [(cell, config)], results.append):
            raise MemoryError(f"out of memory for {len(joined):,} rows' features.")
    if results[0].status != "done":
        raise DivergedError(results[0].error)
    return results[0].probabilities


def _as_test_part(data: TextData, rows: UnlabelledRows) -> TextData:
    """Make a test part of the rows, with unread labels."""
    if data.texts_b is not None and rows.texts_b is None:
        raise DataError(f"{data.name} has pairs of texts: give each row's second text, too.")
    count = len(rows)
    metadata = data.metadata
    if metadata is not None:
        missing = np.full((count, len(metadata.names)), np.nan)
        metadata = Metadata(metadata.names, missing if rows.metadata is None else rows.metadata)
    nothing: list[ImagePair] = [(None, None)] * count
    return assemble(
        name=f"{count:,} further rows",
        texts=rows.texts,
        texts_b=None if data.texts_b is None else rows.texts_b,
        labels=np.zeros(count, np.int64),
        label_names=data.label_names,
        official=np.full(count, "test"),
        images=None if data.images is None else rows.images or nothing,
        metadata=metadata,
    )


def _joined(data: TextData, rows: TextData) -> TextData:
    """Join the data, as training part, and the rows, as test part."""
    metadata = data.metadata
    if metadata is not None and rows.metadata is not None:
        values = np.concatenate([metadata.values, rows.metadata.values])
        metadata = Metadata(metadata.names, values)
    joined = assemble(
        name=f"{data.name} and {rows.name}",
        texts=[*data.texts, *rows.texts],
        texts_b=None if data.texts_b is None else [*data.texts_b, *(rows.texts_b or ())],
        labels=np.concatenate([data.labels, rows.labels]),
        label_names=data.label_names,
        official=np.array(["train"] * len(data) + ["test"] * len(rows)),
        images=None if data.images is None else [*data.images, *(rows.images or ())],
        metadata=metadata,
    )
    # A new row may equal one of the data's, which must stay in training all the same.
    apart = int(data.groups.max()) + 1 + np.arange(len(rows))
    return dataclasses.replace(joined, groups=np.concatenate([data.groups, apart]))
