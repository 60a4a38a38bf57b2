"""Reading out an encoder that was trained without labels: what its outputs tell, after an epoch.

A trainable that defines `read_out(config)` has a module whose `logits`, in evaluation, are no
logits but features. They are made for the held-out rows, the training rows and some further texts,
and its ReadOut makes class probabilities of them, and numbers to report.
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
        train: Of the training rows.
        train_labels: Their classes, int64 (train,).
        held_out: Of the held-out rows.
        held_out_labels: Their classes, for numbers that are reported, never for probabilities.
        further: Of the further texts, in their order.
    """

    train: Float32Array
    train_labels: IntArray
    held_out: Float32Array
    held_out_labels: IntArray
    further: Float32Array


@dataclass(frozen=True, eq=False)
class Reading:
    """What a ReadOut found.

    Attributes:
        probabilities: Of the held-out rows, float32 (held_out, classes).
        facts: Numbers to report beside the scores.
    """

    probabilities: Float32Array
    facts: Mapping[str, float]


class ReadOut(Protocol):
    """Makes probabilities of features.

    Attributes:
        texts: Further texts whose features it wants.
    """

    @property
    def texts(self) -> tuple[str, ...]: ...  # noqa: D102

    def read(self, outputs: Outputs, classes: int) -> Reading:
        """The probabilities of the held-out rows.

        Args:
            outputs: Features, all finite.
            classes: Classes of the data.
        """
        ...


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A ReadOut on one cell's rows.

    Attributes:
        read_out: What reads.
        train: The training rows.
        scored: The rows that are scored, in the order of the probabilities.
        further: Rows of its further texts.
        labels: Classes of all rows of the corpus.
        classes: Classes of the data.
    """

    read_out: ReadOut
    train: IntArray
    scored: IntArray
    further: IntArray
    labels: IntArray
    classes: int

    @property
    def rows(self) -> IntArray:
        """All rows whose features are wanted, ascending."""
        return np.union1d(np.concatenate([self.train, self.scored]), self.further)

    def read(self, features: Float32Array) -> Reading:
        """What the features of `rows`, (rows, width), tell; nan where one is not finite."""
        if not np.isfinite(features).all():  # a cell diverged; its neighbours in a stack go on
            lost = np.full((len(self.scored), self.classes), np.nan, np.float32)
            return Reading(lost, {})
        at = self.rows

        def of(rows: IntArray) -> Float32Array:
            found: Float32Array = features[np.searchsorted(at, rows)]
            return found

        outputs = Outputs(
            train=of(self.train),
            train_labels=self.labels[self.train],
            held_out=of(self.scored),
            held_out_labels=self.labels[self.scored],
            further=of(self.further),
        )
        return self.read_out.read(outputs, self.classes)
