"""Dropout keys of a stack's step, made once per block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from trainables.engine import seeding
from trainables.engine.arrays import Int32Array, IntArray
from trainables.engine.stacking import shared_batches


class Keyed(shared_batches.Placed, Protocol):
    """A cell, as far as its keys need it.

    Attributes:
        fold: Fold of the cell.
        first: Number of the data's first row in the cell's table of features.
    """

    @property
    def fold(self) -> int: ...  # noqa: D102
    @property
    def first(self) -> int: ...  # noqa: D102


def block_of(cells: Sequence[Keyed]) -> list[int]:
    """Number of each cell's block."""
    numbers = [0] * len(cells)
    for number, block in enumerate(shared_batches.blocks(cells)):
        for cell in block:
            numbers[cell] = number
    return numbers


def keys_of(
    cells: Sequence[Keyed],
    blocks: Sequence[int],
    epoch: int,
    chosen: Sequence[int],
    rows: IntArray,
    views: int,
) -> tuple[Int32Array, IntArray | None]:
    """Make the keys of one step.

    Args:
        cells: Cells of the stack.
        blocks: Number of each cell's block.
        epoch: Number of the epoch, from 0.
        chosen: Numbers of the cells that make the step.
        rows: Batches of these cells, (cells, batch), or (batches, batch) where consecutive cells
            share each.
        views: Number of views of each row in a batch.

    Returns:
        Keys of each block, (blocks, views x batch + 1, 2), and the place of each cell's block among
        them, (cells,); None where blocks are equal runs of cells. See `dropout_masks.Step`.
    """
    each = len(chosen) // len(rows)  # cells of each batch
    keys: list[Int32Array] = []
    places: dict[int, int] = {}
    for at, number in enumerate(chosen):
        if blocks[number] not in places:
            places[blocks[number]] = len(keys)
            cell = cells[number]
            data_rows = rows[at // each] - cell.first
            keys.append(seeding.dropout_keys(cell.seed, cell.fold, epoch, data_rows, views))
    of_cell = np.array([places[blocks[number]] for number in chosen])
    equal_runs = np.repeat(np.arange(len(keys)), len(chosen) // len(keys))
    return np.stack(keys), None if np.array_equal(of_cell, equal_runs) else of_cell
