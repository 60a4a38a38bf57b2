"""Rows of unequal length, end to end in flat tensors, and any batch of them cut out and padded."""

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
        values: Of all rows, end to end, (tokens, ...).
        padding: What stands where a row is shorter than the batch.
    """

    values: Tensor
    padding: float


class Ragged:
    """Inputs of a model for rows of unequal length.

    Args:
        columns: By the name under which the model takes them.
        lengths: Of each row, int64 (rows,).
    """

    def __init__(self, columns: Mapping[str, Column], lengths: IntArray) -> None:
        self.columns = dict(columns)
        self.device = torch.device("cpu")
        self._lengths = torch.as_tensor(lengths)
        self._starts = torch.cumsum(self._lengths, 0) - self._lengths

    def to(self, device: torch.device) -> Ragged:
        """The same rows, giving batches on another device."""
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
        """The inputs of some rows, padded to the longest of them.

        Args:
            rows: Row numbers, int64 (..., batch).

        Returns:
            Each input (..., batch, length, ...), and `attention_mask`, int64 (..., batch, length).
        """
        # Worked out by the host, so that a GPU is never waited for.
        chosen = torch.as_tensor(rows)
        lengths = self._lengths[chosen].unsqueeze(-1)
        along = torch.arange(int(lengths.max()))
        real = along < lengths
        # What lies beyond a row's end is looked up at its start, and then overwritten.
        at = self._starts[chosen].unsqueeze(-1) + along * real
        beyond = (~real).to(self.device, non_blocking=True)
        given: dict[str, Tensor] = {}
        for name, column in self.columns.items():
            values = column.values[at.to(column.values.device)].to(self.device)
            wide = beyond.reshape(*beyond.shape, *[1] * (values.ndim - beyond.ndim))
            given[name] = values.masked_fill_(wide, column.padding)
        given["attention_mask"] = (~beyond).long()
        return given
