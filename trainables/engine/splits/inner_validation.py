"""Inner validation: rows of the training part kept apart, to choose the epoch on.

A cell's held-out rows may choose nothing, the epoch neither. Where a trainable asks for it, a
stratified share of the cell's own training rows is not trained on; after each epoch it is scored,
and the predictions of the epoch that is best there are the cell's. Copies of a text stay together.

The score is the accuracy per class, as in Fake News Classification with BERT (Malakhov, Patruno,
Bocconi, MediaEval 2020), section 4: "We chose the epoch for our final model based on accuracy per
class", of a validation set that is not described.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainables.engine.contract import Split
from trainables.engine.splits import folds
from trainables.engine.text_data import Rows, TextData
from trainables.metrics.class_accuracy import class_accuracy

Floats = npt.NDArray[np.float32]

NO_ROWS: Rows = np.zeros(0, np.int64)
NO_ROWS.setflags(write=False)


@lru_cache(maxsize=64)
def apart(
    data: TextData, split: Split, seed: int, fold: int, share: float
) -> tuple[Rows, Rows, Rows]:
    """A cell's rows: trained on, held out, and kept apart to choose the epoch on.

    Args:
        data: The data.
        split: How rows are held out.
        seed: The cell's; shuffles both splits.
        fold: The cell's.
        share: Of the training rows to keep apart; 0 keeps none.

    Returns:
        Row indices, each int64 and ascending; no text is in two of them. The held-out rows are
        what they are without inner validation.

    Raises:
        DataError: if a class has too few texts for either split.
    """
    train, held_out = folds.held_out(data, split, seed, fold)
    if not share:
        return train, held_out, NO_ROWS
    inside = data.take(train, f"the training part of {data.name}")
    kept, valid = folds.held_out(inside, Split(holdout=share), seed, 0)
    return train[kept], held_out, train[valid]


class Choice:
    """Keeps the held-out predictions of the epoch that counts.

    Args:
        labels: Class ids of the rows that choose, int64 (valid,); without any, each epoch is better
            than the one before.
    """

    def __init__(self, labels: Rows) -> None:
        self._labels = labels
        self._epoch, self._score = 0, -1.0
        self.probabilities: Floats = np.zeros((0, 0), np.float32)

    def see(self, epoch: int, held_out: Floats, valid: Floats) -> dict[str, float]:
        """Take the predictions after an epoch.

        Args:
            epoch: From 1.
            held_out: Probabilities of the held-out rows, (held_out, classes).
            valid: Of the rows that choose, in the order of `labels`, (valid, classes).

        Returns:
            What to report with the epoch.
        """
        if not len(self._labels):
            self.probabilities = held_out
            return {}
        score = class_accuracy(self._labels, valid)
        if score > self._score:  # the earlier of equals: it has fitted less
            self._epoch, self._score, self.probabilities = epoch, score, held_out
        return {"inner_class_accuracy": score}

    @property
    def facts(self) -> Mapping[str, float]:
        """What to report with the cell."""
        if not len(self._labels):
            return {}
        return {"chosen_epoch": float(self._epoch), "inner_class_accuracy": self._score}

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "epoch": torch.tensor(self._epoch),
            "score": torch.tensor(self._score, dtype=torch.float64),
            "probabilities": torch.from_numpy(self.probabilities),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._epoch, self._score = int(state["epoch"]), float(state["score"])
        self.probabilities = state["probabilities"].numpy()
