"""Rows of unequal length in flat tensors, padded batch by batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
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

    Attributes:
        gathers: True where batches can be gathered on the device alone.
    """

    def __init__(self, columns: Mapping[str, Column], lengths: IntArray) -> None:
        self.columns = dict(columns)
        self.device = torch.device("cpu")
        self.gathers = True
        self._sizes = torch.as_tensor(lengths)
        starts = torch.cumsum(self._sizes, 0) - self._sizes
        self._tables = {self.device.type: (self._sizes, starts)}

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
        kinds = {column.values.device.type for column in moved.columns.values()}
        moved.gathers = kinds <= {device.type}
        host = self._tables["cpu"]
        lengths, starts = (table.to(device) for table in host)
        moved._tables = {"cpu": host, device.type: (lengths, starts)}
        return moved

    def longest(self, rows: IntArray) -> int:
        """Return the number of tokens of the longest of some rows."""
        return int(self._sizes[torch.as_tensor(rows)].max())

    def shortest(self, rows: IntArray) -> int:
        """Return the number of tokens of the shortest of some rows."""
        return int(self._sizes[torch.as_tensor(rows)].min())

    def padded(self, rows: IntArray | Tensor, length: int | None = None) -> dict[str, Tensor]:
        """Return the inputs of some rows, padded to the longest of them.

        Args:
            rows: Row numbers, int64 (..., batch); a tensor lies on the device of the rows.
            length: Number of tokens to pad to, if more; wanted for a tensor.

        Returns:
            Each input (..., batch, length, ...), and `attention_mask`, int64 (..., batch, length).
        """
        if length is None:
            length = self.longest(np.asarray(rows))
        chosen = torch.as_tensor(rows)
        if not isinstance(rows, Tensor):
            chosen = placed(chosen, self.device)
        at, real = self._places(chosen, length)
        beyond = ~real
        inputs: dict[str, Tensor] = {}
        for name, column in self.columns.items():
            if column.values.device.type == self.device.type:
                values = column.values[at]
            else:  # too large for the device
                values = column.values[self._places(chosen.cpu(), length)[0]].to(self.device)
            wide = beyond.reshape(*beyond.shape, *[1] * (values.ndim - beyond.ndim))
            inputs[name] = values.masked_fill_(wide, column.padding)
        inputs["attention_mask"] = real.long()
        return inputs

    def _places(self, rows: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Places of the rows' tokens, and True for real ones.

        Both are (..., batch, length).
        """
        lengths, starts = self._tables[rows.device.type]
        real = torch.arange(length, device=rows.device) < lengths[rows].unsqueeze(-1)
        # Places beyond a row's end take its start's values, and are then overwritten.
        along = torch.arange(length, device=rows.device) * real
        return starts[rows].unsqueeze(-1) + along, real


def placed(values: Tensor, device: torch.device) -> Tensor:
    """Copy values of the host to a device, without waiting for it."""
    if device.type != "cuda" or values.is_cuda:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
