"""Metadata as an input of modules, under the name `metadata`.

A column is scaled by each cell on its own training rows: a module holds their mean and spread as
buffers. The scaling here is the same for all rows, and a cell's scaling undoes it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from trainables.engine.arrays import IntArray
from trainables.engine.errors import NoMetadataError
from trainables.engine.inputs import tokens
from trainables.engine.text_data import TextData

Kind = Literal["standard", "log"]
NAME = "metadata"


@lru_cache(maxsize=4)
def table(data: TextData, kind: Kind) -> Tensor:
    """Return the columns of every row, and a mask of missing values.

    Args:
        data: Data with metadata.
        kind: "standard" takes values as they are; "log" takes sign(x) ln(1 + |x|), for counts.

    Returns:
        Float32 (rows, 2 x columns): the values, 0 where missing; then 1 where missing, else 0.
        Values are scaled by column, to fit float32.

    Raises:
        NoMetadataError: if the data have none.
    """
    if data.metadata is None:
        raise NoMetadataError(
            f"metadata={kind} joins numeric columns to the text, and {data.name} was read without "
            "any: name them with --metadata, or use --fix metadata=none."
        )
    values = data.metadata.values
    if kind == "log":
        values = np.sign(values) * np.log1p(np.abs(values))
    missing = np.isnan(values)
    spread = np.nanstd(values, axis=0)
    shifted = (values - np.nanmean(values, axis=0)) / np.where(spread > 0, spread, 1.0)
    joined = np.concatenate([np.where(missing, 0.0, shifted), missing], axis=1)
    return torch.from_numpy(joined.astype(np.float32))


class WithMetadata:
    """Padded rows, as `Padding`, with their metadata.

    Args:
        inputs: Tokens of all rows.
        values: Numbers of all rows, (rows, numbers).
    """

    def __init__(self, inputs: tokens.Padding, values: Tensor) -> None:
        self._inputs, self._values = inputs, values

    def to(self, device: torch.device) -> WithMetadata:
        """Return the same rows, for batches on another device."""
        return WithMetadata(self._inputs.to(device), self._values.to(device))

    @property
    def gathers(self) -> bool:
        """True where batches can be gathered on the device alone."""
        return self._inputs.gathers

    def longest(self, rows: IntArray) -> int:
        """Return the number of tokens of the longest of some rows."""
        return self._inputs.longest(rows)

    def shortest(self, rows: IntArray) -> int:
        """Return the number of tokens of the shortest of some rows."""
        return self._inputs.shortest(rows)

    def padded(self, rows: IntArray | Tensor, length: int | None = None) -> dict[str, Tensor]:
        """Return the inputs of some rows, int64 (..., batch), as `Ragged.padded`.

        `metadata` among them is (..., batch, numbers).
        """
        chosen = torch.as_tensor(rows, device=self._values.device)
        return {**self._inputs.padded(rows, length), NAME: self._values[chosen]}
