"""Stratified draws: `--subset N`, `--train-rows N`, and the training part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainables.engine.arrays import IntArray
from trainables.engine.errors import DataError
from trainables.engine.text_data import TextData

# Fixed: a subset belongs to the data set, no cell's seed decides it.
_SUBSET_SEED = 1000


def draw_subset(data: TextData, rows: int, name: str | None = None) -> TextData:
    """Return a stratified subset, the same on every machine.

    Rows keep the order of the source.

    Every class keeps its share of the rows, at least 1; inside a class every official part keeps
    its share too.

    Args:
        data: Data set to draw from.
        rows: Number of rows to draw.
        name: Name of the subset; None keeps the data set's.

    Raises:
        DataError: if there are fewer rows than that, or more classes.
    """
    classes = len(data.label_names)
    if rows > len(data):
        raise DataError(
            f"A subset of {rows:,} rows is larger than {data.name}, which has {len(data):,} rows."
        )
    if rows < classes:
        raise DataError(
            f"A subset of {rows:,} rows is too small for the {classes} classes of {data.name}: "
            f"ask for at least {classes}."
        )
    if rows == len(data):
        return data if name is None else data.take(np.arange(len(data)), name)
    rng = np.random.default_rng(_SUBSET_SEED)
    shuffled = rng.permutation(len(data))
    quotas = _shares(np.bincount(data.labels, minlength=classes), rows, at_least=1)
    taken = [
        _spread(shuffled[data.labels[shuffled] == label], data, int(quota))
        for label, quota in enumerate(quotas)
    ]
    return data.take(np.sort(np.concatenate(taken)), name)


def training_part(data: TextData, parts: Sequence[str]) -> TextData:
    """Return the rows of some official parts.

    Raises:
        DataError: if there are none.
    """
    inside = np.isin([] if data.official is None else data.official, parts)
    rows = np.flatnonzero(inside)
    if not len(rows):
        found = "no column 'split'" if data.official is None else "no such row in column 'split'"
        raise DataError(
            f"{data.name} has no official training part ({found}): leave --parts train out."
        )
    return data.take(rows)


def draw_training(data: TextData, train: IntArray, rows: int, seed: int, fold: int) -> IntArray:
    """Return some rows of a cell's training part, by class.

    Every class keeps its share of the training part, at least 1 row.

    Args:
        data: Data set; only labels count.
        train: Rows of the training part, ascending.
        rows: Number of rows to draw.
        seed: Seed of the cell.
        fold: Fold of the cell.

    Returns:
        Drawn rows, int64 (rows,), ascending.

    Raises:
        DataError: if the training part has fewer rows than that, or more classes.
    """
    classes, sizes = np.unique(data.labels[train], return_counts=True)
    if rows > len(train):
        raise DataError(
            f"{rows:,} training rows (--train-rows) are more than the {len(train):,} that a cell "
            f"of {data.name} has: ask for at most that, or leave the option out."
        )
    if rows < len(classes):
        raise DataError(
            f"{rows:,} training rows (--train-rows) are too few for the {len(classes)} "
            f"classes of {data.name}: ask for at least one a class."
        )
    if rows == len(train):
        return train
    # The last number is not 0, which would be the seed's own stream: that deals out the folds.
    shuffled = np.random.default_rng([seed, fold, _SUBSET_SEED]).permutation(train)
    quotas = _shares(sizes, rows, at_least=1)
    labels = data.labels[shuffled]
    taken = [
        shuffled[labels == label][:quota] for label, quota in zip(classes, quotas, strict=True)
    ]
    drawn: IntArray = np.sort(np.concatenate(taken))
    return drawn


def _spread(candidates: IntArray, data: TextData, quota: int) -> IntArray:
    """Return `quota` candidates, an equal share of every official part."""
    if data.official is None:
        return candidates[:quota]
    names, part = np.unique(data.official[candidates], return_inverse=True)
    quotas = _shares(np.bincount(part, minlength=len(names)), quota, at_least=0)
    return np.concatenate([candidates[part == i][:share] for i, share in enumerate(quotas)])


def _shares(sizes: IntArray, total: int, at_least: int) -> IntArray:
    """Deal out `total` in proportion to the sizes, int64 (parts,).

    The largest remainders are rounded up.

    No part gets more than its size, nor less than `at_least`.
    """
    ideal = sizes * (total / sizes.sum())
    quota: IntArray = np.maximum(np.floor(ideal + 1e-9).astype(np.int64), at_least)
    while quota.sum() != total:
        missing = int(np.sign(total - quota.sum()))
        room = quota < sizes if missing > 0 else quota > at_least
        # The part that is furthest from its ideal in the needed direction moves by one.
        quota[np.argmax(np.where(room, missing * (ideal - quota), -np.inf))] += missing
    return quota
