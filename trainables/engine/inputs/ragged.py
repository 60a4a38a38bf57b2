"""Rows of unequal length in flat tensors, padded batch by batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.engine.arrays import IntArray

# A larger column stays with the host: the device is for models.
_MOST_BYTES_ON_DEVICE = 2**32


@dataclass(frozen=True, eq=False)
class Column:
    """One input of a model.

    Attributes:
        values: Values of all rows, end to end, (tokens, ...).
        padding: Value behind the end of a row that is shorter than its batch.
    """

    values: Tensor
    padding: float


class Ragged:
    """Inputs of a model for rows of unequal length.

    Args:
        columns: Columns by the name of the model's argument.
        lengths: Number of tokens of each row, int64 (rows,).
    """

    def __init__(self, columns: Mapping[str, Column], lengths: IntArray) -> None:
        self.columns = dict(columns)
        self.device = torch.device("cpu")
        self._lengths = torch.as_tensor(lengths)
        self._starts = torch.cumsum(self._lengths, 0) - self._lengths

    def to(self, device: torch.device) -> Ragged:
        """Return the same rows, for batches on another device."""
        moved = copy.copy(self)
        moved.device = device
        moved.columns = {
            name: Column(column.values.to(device), column.padding)
            if column.values.nbytes <= _MOST_BYTES_ON_DEVICE
            else column
            for name, column in self.columns.items()
        }
        return moved

    def padded(self, rows: IntArray) -> dict[str, Tensor]:
        """Return the inputs of some rows, padded to the longest of them.

        Args:
            rows: Row numbers, int64 (..., batch).

        Returns:
            Each input (..., batch, length, ...), and `attention_mask`, int64 (..., batch, length).
        """
        # The host works this out: nothing waits for a GPU.
        chosen = torch.as_tensor(rows)
        lengths = self._lengths[chosen].unsqueeze(-1)
        along = torch.arange(int(lengths.max()))
        real = along < lengths
        # Places beyond a row's end take its start's values, and are then overwritten.
        at = self._starts[chosen].unsqueeze(-1) + along * real
        beyond = (~real).to(self.device, non_blocking=True)
        inputs: dict[str, Tensor] = {}
        for name, column in self.columns.items():
            values = column.values[at.to(column.values.device)].to(self.device)
            wide = beyond.reshape(*beyond.shape, *[1] * (values.ndim - beyond.ndim))
            inputs[name] = values.masked_fill_(wide, column.padding)
        inputs["attention_mask"] = (~beyond).long()
        return inputs
