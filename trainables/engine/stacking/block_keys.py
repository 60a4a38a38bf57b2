"""Dropout keys of a stack's step, made once per block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from trainables.engine import seeding
from trainables.engine.arrays import Int32Array, IntArray
from trainables.engine.stacking import shared_batches
from trainables.engine.training import dropout_masks


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


def step(
    cells: Sequence[Keyed],
    blocks: Sequence[int],
    when: tuple[int, int],
    chosen: Tensor | None,
    rows: IntArray,
    views: int,
    device: torch.device,
) -> dropout_masks.Step:
    """Make the keys of one step.

    Args:
        cells: Cells of the stack.
        blocks: Number of each cell's block.
        when: Epoch and step within it, from 0.
        chosen: Cells that make the step; None for all.
        rows: Batches of these cells, (cells, batch), or (batches, batch) where consecutive cells
            share each.
        views: Number of views of each row in a batch.
        device: Device of the keys.
    """
    epoch, count = when
    numbers = range(len(cells)) if chosen is None else chosen.tolist()
    each = len(numbers) // len(rows)  # cells of each batch
    keys: list[Int32Array] = []
    places: dict[int, int] = {}
    for at, number in enumerate(numbers):
        if blocks[number] not in places:
            places[blocks[number]] = len(keys)
            cell = cells[number]
            data_rows = rows[at // each] - cell.first
            keys.append(seeding.dropout_keys(cell.seed, cell.fold, epoch, data_rows, views))
    of_cell = [places[blocks[number]] for number in numbers]
    stacked = torch.from_numpy(np.stack(keys)).to(device, non_blocking=True)
    equal_runs = np.repeat(np.arange(len(keys)), len(numbers) // len(keys)).tolist()
    uneven = None if of_cell == equal_runs else torch.tensor(of_cell, device=device)
    return dropout_masks.Step(stacked, count, uneven)
