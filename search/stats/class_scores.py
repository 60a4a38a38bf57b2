"""Precision, recall and F1 of each class, and who is taken for whom: pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ClassScores:
    """How well each class is told; means over the repetitions, where there are several.

    Attributes:
        names: Of the classes, (classes,).
        rows: True rows of each, int64 (classes,).
        precision: Right among those predicted as the class, (classes,); 0 where none was.
        recall: Right among those of the class, its accuracy, (classes,).
        f1: Their harmonic mean, (classes,).
        confusion: Share of the rows of class i that are taken for class j, (classes, classes).
    """

    names: tuple[str, ...]
    rows: IntArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    confusion: FloatArray

    def to_json(self) -> list[dict[str, Any]]:
        """A document a class; `taken_for` has the shares by class name."""
        return [
            {
                "class": name,
                "rows": int(self.rows[i]),
                "precision": float(self.precision[i]),
                "recall": float(self.recall[i]),
                "f1": float(self.f1[i]),
                "taken_for": dict(zip(self.names, self.confusion[i].tolist(), strict=True)),
            }
            for i, name in enumerate(self.names)
        ]


def class_scores(
    labels: IntArray,
    probabilities: npt.NDArray[np.floating[Any]],
    names: Sequence[str],
) -> ClassScores:
    """The scores of each class.

    Args:
        labels: True classes, (rows,).
        probabilities: Of every row by each repetition (a seed), (repetitions, rows, classes).
        names: Of the classes.

    Raises:
        ValueError: if shapes disagree.
    """
    classes = len(names)
    if probabilities.ndim != 3 or probabilities.shape[1:] != (len(labels), classes):
        raise ValueError(
            f"probabilities must be (repetitions, {len(labels)} rows, {classes} classes), got "
            f"shape {probabilities.shape}."
        )
    predicted = probabilities.argmax(axis=2)  # (repetitions, rows)
    counts = np.zeros((len(predicted), classes, classes))
    for number, guesses in enumerate(predicted):
        np.add.at(counts[number], (labels, guesses), 1)
    right = np.einsum("rcc->rc", counts)
    rows, taken = counts.sum(axis=2), counts.sum(axis=1)
    return ClassScores(
        names=tuple(names),
        rows=np.bincount(labels, minlength=classes),
        precision=(right / np.maximum(taken, 1)).mean(axis=0),
        recall=(right / np.maximum(rows, 1)).mean(axis=0),
        f1=(2 * right / np.maximum(rows + taken, 1)).mean(axis=0),
        confusion=(counts / np.maximum(rows, 1)[:, :, None]).mean(axis=0),
    )
