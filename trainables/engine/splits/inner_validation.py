"""Inner validation: training rows kept apart, to choose the epoch on.

A cell's held-out rows must not choose its epoch. Where a trainable asks for it, a stratified share
of the cell's training rows is not trained on. After each epoch these rows are scored, and the cell
takes the predictions of the epoch that is best there. Copies of a text stay together.

The score is the accuracy per class, as in Fake News Classification with BERT (Malakhov, Patruno,
Bocconi, MediaEval 2020), section 4: "We chose the epoch for our final model based on accuracy per
class", of a validation set that is not described.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from trainables.engine.arrays import IntArray
from trainables.engine.contract import Split
from trainables.engine.splits import folds
from trainables.engine.text_data import TextData

NO_ROWS: IntArray = np.zeros(0, np.int64)
NO_ROWS.setflags(write=False)


@lru_cache(maxsize=64)
def apart(
    data: TextData, split: Split, seed: int, fold: int, share: float
) -> tuple[IntArray, IntArray, IntArray]:
    """Return the rows trained on, held out, and kept for inner validation.

    Args:
        data: Data set.
        split: Number of folds, a held-out share, or "official".
        seed: Seed of the cell, which shuffles both splits.
        fold: Fold of the cell.
        share: Share of the training rows to keep apart; 0 keeps none.

    Returns:
        Row indices, each int64 and ascending; no text is in two of them. The held-out rows are
        what they are without inner validation.

    Raises:
        DataError: if a class has too few texts for either split.
    """
    train, held_out = folds.held_out(data, split, seed, fold)
    if not share:
        return train, held_out, NO_ROWS
    train, valid = of_rows(data, train, seed, share)
    return train, held_out, valid


def of_rows(data: TextData, rows: IntArray, seed: int, share: float) -> tuple[IntArray, IntArray]:
    """Return the rows trained on, and those kept for inner validation.

    Args:
        data: Data set.
        rows: Rows to share out, ascending.
        seed: Seed that shuffles them.
        share: Share of them to keep apart, above 0.

    Raises:
        DataError: if a class has too few texts among them.
    """
    inside = data.take(rows, f"the training part of {data.name}")
    trained, valid = folds.held_out(inside, Split(holdout=share), seed, 0)
    return rows[trained], rows[valid]
