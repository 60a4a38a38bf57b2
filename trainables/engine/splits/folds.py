"""Folds: the rows that a cell is trained on and scored on.

Folds are stratified by class and shuffled by the cell's seed; rows with the same text are on one
side of a split. scikit-learn's StratifiedGroupKFold takes 42 s a seed for SST-2, this code 0.25 s,
and it leaves the classes of MPQA less level.
"""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np

from trainables.engine.arrays import FloatArray, IntArray
from trainables.engine.contract import Split
from trainables.engine.errors import DataError
from trainables.engine.splits.subset import draw_training
from trainables.engine.text_data import TextData


def held_out(data: TextData, split: Split, seed: int, fold: int) -> tuple[IntArray, IntArray]:
    """Return the rows to train on and the rows to score on.

    Args:
        data: Data set; only labels, groups and official parts count.
        split: Number of folds, a held-out share, or "official".
        seed: Seed that shuffles the rows; "official" ignores it.
        fold: Index of the fold that is scored, in [0, folds); 0 under a hold-out split.

    Returns:
        Row indices to train on and to score on, each int64, ascending, without a common text.
        Under folds and a held-out share they are a partition of all rows. Under "official" a
        validation part is in neither, and a training row whose text is in the test part is left
        out of training. With `split.outer`, a partition of the rows that it leaves. With
        `split.train_rows`, so many of these rows to train on, and the same rows to score on.

    Raises:
        DataError: if a class has too few distinct texts for the split, if an official split is
            asked of data without one, if there is no such fold, or fewer rows than `train_rows`.
    """
    if split.train_rows is not None:
        train, test = held_out(data, dataclasses.replace(split, train_rows=None), seed, fold)
        return draw_training(data, train, split.train_rows, seed, fold), test
    if split.outer is not None:
        rows, inside = _without(data, split.folds, split.outer)
        parts = held_out(inside, dataclasses.replace(split, outer=None), seed, fold)
        return rows[parts[0]], rows[parts[1]]
    number = 1 if split.folds is None else split.folds
    if not 0 <= fold < number:
        raise DataError(f"fold must be in [0, {number}), got {fold}.")
    if split.holdout == "official":
        return _official(data)
    if split.folds is not None:
        of_row = _assigned(data, seed, (1.0 / split.folds,) * split.folds)
    else:
        share = float(split.holdout or 0.0)
        of_row = _assigned(data, seed, (share, 1.0 - share))
    return np.flatnonzero(of_row != fold), np.flatnonzero(of_row == fold)


@lru_cache(maxsize=8)
def _without(
    data: TextData, folds: int | None, outer: tuple[int, int]
) -> tuple[IntArray, TextData]:
    """Return the rows that an outer fold trains on, and their data.

    Copies stay one group.
    """
    rows, _ = held_out(data, Split(folds=folds), *outer)
    inside = data.take(rows, f"{data.name} without fold {outer[1]} of seed {outer[0]}")
    return rows, inside


def _official(data: TextData) -> tuple[IntArray, IntArray]:
    if data.official is None:
        raise DataError(
            f"{data.name} has no official split (no column 'split'): use folds, or a held-out "
            "share such as 0.2."
        )
    test = np.flatnonzero(data.official == "test")
    train = np.flatnonzero(data.official == "train")
    train = train[~np.isin(data.groups[train], data.groups[test])]
    parts = ", ".join(f"{part} {count:,}" for part, count in part_counts(data).items())
    if not len(test) or not len(train):
        # A part may be gone because all its labels are hidden.
        why = "".join(
            f" ({note}.)" for note in data.notes if "label" in note and "left out" in note
        )
        raise DataError(
            f"An official split needs the parts 'train' and 'test', {data.name} has: {parts}.{why}"
        )
    absent = np.setdiff1d(np.arange(len(data.label_names)), data.labels[train])
    if len(absent):
        names = ", ".join(repr(data.label_names[label]) for label in absent[:5])
        raise DataError(
            f"The official training part of {data.name} has no row of {len(absent)} of "
            f"{len(data.label_names)} classes ({names}): use folds, or a larger subset."
        )
    return train, test


def part_counts(data: TextData) -> dict[str, int]:
    """Return the rows of each official part, in order of appearance.

    The mapping is empty where there are no parts.
    """
    if data.official is None:
        return {}
    names, first, counts = np.unique(data.official, return_index=True, return_counts=True)
    return {str(names[i]): int(counts[i]) for i in np.argsort(first)}


@lru_cache(maxsize=64)
def _assigned(data: TextData, seed: int, shares: tuple[float, ...]) -> IntArray:
    """Return the part of every row, int64 (rows,).

    Part p gets about `shares[p]` of every class.
    """
    _check_sizes(data, shares)
    rng = np.random.default_rng(seed)
    weights = np.array(shares)
    of_row = np.full(len(data.labels), -1, np.int64)
    counts = np.zeros((len(shares), len(data.label_names)), np.int64)
    _, group, sizes = np.unique(data.groups, return_inverse=True, return_counts=True)
    _place_copies(of_row, counts, data, group, sizes, weights, rng)
    single = sizes[group] == 1
    for label in range(len(data.label_names)):
        rows = rng.permutation(np.flatnonzero(single & (data.labels == label)))
        quota = _level(counts[:, label], counts.sum(axis=1), weights, len(rows))
        of_row[rows] = np.repeat(np.arange(len(shares)), quota)
        counts[:, label] += quota
    of_row.setflags(write=False)
    return of_row


def _place_copies(
    of_row: IntArray,
    counts: IntArray,
    data: TextData,
    group: IntArray,
    sizes: IntArray,
    weights: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Put each group of copies into the part that most needs it.

    A part needs a group that holds the classes which the part lacks most.

    Largest groups come first, equal sizes in shuffled order: single rows level the rest.
    """
    order = np.argsort(group, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    several = rng.permutation(np.flatnonzero(sizes > 1))
    totals = np.bincount(data.labels, minlength=len(data.label_names))
    for number in several[np.argsort(-sizes[several], kind="stable")]:
        rows = order[starts[number] : starts[number + 1]]
        labels, here = np.unique(data.labels[rows], return_counts=True)
        # Rows of these classes that each part would hold, relative to its share of them.
        after = (counts[:, labels] + here) / (weights[:, None] * totals[labels])
        load = np.round(np.max(after, axis=1), 9)
        part = np.lexsort((counts.sum(axis=1) / weights, load))[0]
        of_row[rows] = part
        counts[part, labels] += here


def _level(held: IntArray, filled: IntArray, weights: FloatArray, rows: int) -> IntArray:
    """Return the number of single rows that each part gets.

    The class is then spread by `weights`.

    Args:
        held: Number of rows of the class that each part has already, (parts,).
        filled: Number of rows of any class that each part has already, (parts,). A remainder goes
            to the emptiest part, so that parts stay level over the classes too.
        weights: Share of each part, (parts,), sums to 1.
        rows: Number of single rows to deal out.

    Returns:
        int64 (parts,), sums to `rows`.
    """
    open_parts = np.ones(len(held), bool)
    ideal = np.zeros(len(held))
    # Parts that hold more than their share get none; the others share what is left.
    while True:
        level = (rows + held[open_parts].sum()) / weights[open_parts].sum()
        ideal = np.where(open_parts, np.round(level * weights - held, 9), 0.0)
        if (ideal >= 0).all():
            break
        open_parts &= ideal >= 0
    quota = np.floor(ideal).astype(np.int64)
    priority = np.lexsort((filled / weights, -np.round(ideal - quota, 9)))
    remainder = rows - int(quota.sum())
    quota[priority[:remainder]] += 1
    # A share may round to nothing; a part without the class takes a row from the richest part.
    for part in np.flatnonzero(held + quota == 0):
        donor = int(np.argmax(np.where(quota > 0, held + quota, -1)))
        if quota[donor] > 0 and held[donor] + quota[donor] > 1:
            quota[donor] -= 1
            quota[part] += 1
    return quota


def _check_sizes(data: TextData, shares: tuple[float, ...]) -> None:
    """Refuse a class that cannot be in every part.

    Raises:
        DataError: naming the smallest classes, their rows and distinct texts.
    """
    parts = len(shares)
    pairs = np.unique(np.stack([data.labels, data.groups]), axis=1)
    distinct = np.bincount(pairs[0], minlength=len(data.label_names))
    rows = np.bincount(data.labels, minlength=len(data.label_names))
    small = np.flatnonzero(distinct < parts)
    if not len(small):
        return
    worst = small[np.argsort(distinct[small], kind="stable")]
    shown = ", ".join(
        f"{data.label_names[label]!r} has {rows[label]:,} row{'s' if rows[label] != 1 else ''}"
        + (f" but {distinct[label]:,} distinct" if distinct[label] < rows[label] else "")
        for label in worst[:5]
    )
    more = f", and {len(worst) - 5} more classes" if len(worst) > 5 else ""
    hints = ["Use fewer folds, more rows, or leave these classes out of the file."]
    if len(small) > len(data.label_names) / 2:
        hints.insert(0, "Is the label column the right one? Choose another with --label.")
    known = {
        name.casefold(): name for label, name in enumerate(data.label_names) if label not in small
    }
    for label in worst[:5]:
        name = data.label_names[label]
        if name.casefold() in known:
            alike = f"{name!r} and {known[name.casefold()]!r}"
            hints.insert(0, f"{alike} differ in capitals alone: write them alike.")
    what = f"{parts} folds" if len(set(shares)) == 1 else "a training and a held-out part"
    raise DataError(
        f"Every class of {data.name} needs at least {parts} different texts for {what}: "
        f"{shown}{more}. {' '.join(hints)}"
    )
