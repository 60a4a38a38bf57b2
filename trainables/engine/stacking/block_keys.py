"""Dropout keys of a stack's step: made once for all cells of a block, which meet the same rows."""

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
    """A cell as its keys need it: `first` is the number of the data's first row in its table."""

    @property
    def fold(self) -> int: ...  # noqa: D102
    @property
    def first(self) -> int: ...  # noqa: D102


def block_of(cells: Sequence[Keyed]) -> list[int]:
    """Number of each cell's block."""
    found = [0] * len(cells)
    for number, block in enumerate(shared_batches.blocks(cells)):
        for cell in block:
            found[cell] = number
    return found


def step(
    cells: Sequence[Keyed],
    blocks: Sequence[int],
    when: tuple[int, int],
    chosen: Tensor | None,
    rows: IntArray,
    views: int,
    device: torch.device,
) -> dropout_masks.Step:
    """The keys of one step.

    Args:
        cells: Of the stack.
        blocks: Number of each cell's block.
        when: Epoch and step within it, from 0.
        chosen: Which cells make the step; None for all.
        rows: Their batches, (cells, batch), or (batches, batch) where cells in a row share each.
        views: How many of each row the batches hold.
        device: Where the keys are needed.
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
            own = rows[at // each] - cell.first
            keys.append(seeding.dropout_keys(cell.seed, cell.fold, epoch, own, views))
    found = [places[blocks[number]] for number in numbers]
    given = torch.from_numpy(np.stack(keys)).to(device, non_blocking=True)
    runs = np.repeat(np.arange(len(keys)), len(numbers) // len(keys)).tolist()
    return dropout_masks.Step(
        given, count, None if found == runs else torch.tensor(found, device=device)
    )
