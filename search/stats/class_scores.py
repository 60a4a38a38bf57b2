"""Precision, recall, F1 and confusion of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from search.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Scores of each class, averaged over repetitions.

    Attributes:
        names: Class names, (classes,).
        rows: Number of true rows of each class, int64 (classes,).
        precision: Share of rows predicted as the class that are of it, (classes,); 0 without any.
        recall: Share of rows of the class that are predicted as it, (classes,).
        f1: Harmonic mean of precision and recall, (classes,).
        confusion: Share of the rows of class i predicted as class j, (classes, classes).
    """

    names: tuple[str, ...]
    rows: IntArray
    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    confusion: FloatArray

    def to_json(self) -> list[dict[str, Any]]:
        """List one document a class; `taken_for` has its row of the confusion."""
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
    """Score each class.

    Args:
        labels: True classes, (rows,).
        probabilities: Predictions by each repetition (a seed), (repetitions, rows, classes).
        names: Class names.

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
    rows, predicted_rows = counts.sum(axis=2), counts.sum(axis=1)
    return ClassScores(
        names=tuple(names),
        rows=np.bincount(labels, minlength=classes),
        precision=(right / np.maximum(predicted_rows, 1)).mean(axis=0),
        recall=(right / np.maximum(rows, 1)).mean(axis=0),
        f1=(2 * right / np.maximum(rows + predicted_rows, 1)).mean(axis=0),
        confusion=(counts / np.maximum(rows, 1)[:, :, None]).mean(axis=0),
    )
