"""Read-out of an encoder that was trained without labels.

Where a trainable defines `read_out(config)`, its module's `logits`, in evaluation, are features.
They are made for the held-out rows, the training rows and some further texts. The ReadOut turns
them into class probabilities, and numbers to report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trainables.engine.arrays import Float32Array, IntArray


@dataclass(frozen=True, eq=False)
class Outputs:
    """Features of one cell's texts, each (rows, width).

    Attributes:
        train: Features of the training rows.
        train_labels: Class ids of the training rows, int64 (train,).
        held_out: Features of the held-out rows.
        held_out_labels: Class ids of the held-out rows, for reported numbers, never for
            probabilities.
        further: Features of the further texts, in their order.
    """

    train: Float32Array
    train_labels: IntArray
    held_out: Float32Array
    held_out_labels: IntArray
    further: Float32Array


@dataclass(frozen=True, eq=False)
class Reading:
    """Result of a ReadOut.

    Attributes:
        probabilities: Class probabilities of the held-out rows, float32 (held_out, classes).
        facts: Numbers to report beside the scores.
    """

    probabilities: Float32Array
    facts: Mapping[str, float]


class ReadOut(Protocol):
    """Turns features into class probabilities.

    Attributes:
        texts: Further texts whose features it needs.
    """

    @property
    def texts(self) -> tuple[str, ...]: ...  # noqa: D102

    def read(self, outputs: Outputs, classes: int) -> Reading:
        """Classify the held-out rows.

        Args:
            outputs: Features, all finite.
            classes: Number of classes.
        """
        ...


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A ReadOut on one cell's rows.

    Attributes:
        read_out: Read-out of the features.
        train: Training rows.
        scored: Rows to score, in the order of the probabilities.
        further: Rows of the further texts.
        labels: Class ids of all rows of the corpus.
        classes: Number of classes.
    """

    read_out: ReadOut
    train: IntArray
    scored: IntArray
    further: IntArray
    labels: IntArray
    classes: int

    @property
    def rows(self) -> IntArray:
        """All rows whose features are needed, ascending."""
        return np.union1d(np.concatenate([self.train, self.scored]), self.further)

    def read(self, features: Float32Array) -> Reading:
        """Read the features of `rows`; probabilities are nan unless all are finite."""
        if not np.isfinite(features).all():  # a cell diverged; its neighbours in a stack go on
            lost = np.full((len(self.scored), self.classes), np.nan, np.float32)
            return Reading(lost, {})
        all_rows = self.rows

        def of(rows: IntArray) -> Float32Array:
            part: Float32Array = features[np.searchsorted(all_rows, rows)]
            return part

        outputs = Outputs(
            train=of(self.train),
            train_labels=self.labels[self.train],
            held_out=of(self.scored),
            held_out_labels=self.labels[self.scored],
            further=of(self.further),
        )
        return self.read_out.read(outputs, self.classes)
