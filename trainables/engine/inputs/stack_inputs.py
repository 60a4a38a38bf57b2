"""Inputs of a stack: features or tokens, many cells' batches at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from trainables.engine import seeding
from trainables.engine.arrays import IntArray
from trainables.engine.inputs.tokens import LengthBuckets, Tokens
from trainables.engine.inputs.views import in_epoch

# Number of values of held-out rows that are scored at a time: 64 MB of features.
_VALUES_AT_ONCE = 2**24


class Inputs(Protocol):
    """The rows of a data set as inputs of a stacked module.

    Attributes:
        shared: True if cells with equal batches get them once.
        gathers: True where batches can be gathered on the device alone.
    """

    shared: bool
    gathers: bool

    def to(self, device: torch.device) -> Inputs:
        """Return the same rows, for batches on another device."""
        ...

    def equals(self, other: Inputs) -> bool:
        """Tell if these are another object's rows, in the same memory."""
        ...

    def batches(self, rows: IntArray, size: int, seed: int, epoch: int) -> list[IntArray]:
        """Return one epoch's batches of a cell's rows, in order.

        Args:
            rows: Rows that the cell is trained on.
            size: Number of rows a batch; one batch may be smaller.
            seed: Seed of the cell.
            epoch: Number of the epoch, from 0.
        """
        ...

    def scoring(self, rows: IntArray, size: int) -> list[IntArray]:
        """Return a cell's held-out rows in parts that fit into memory."""
        ...

    def cells_at_once(self, rows: int) -> int:
        """Return the number of cells that may be scored together."""
        ...

    def length(self, rows: IntArray) -> int | None:
        """Return the number of tokens to pad some rows to.

        It is None where they have none.
        """
        ...

    def whole(self, rows: IntArray, length: int | None) -> bool:
        """Tell if no row is shorter than a length from `length`."""
        ...

    def at(self, rows: IntArray | Tensor, length: int | None = None) -> Any:
        """Return the inputs of some rows of each cell.

        Args:
            rows: Row numbers, int64 (cells, batch).
            length: Number of tokens to pad to, from `length`; wanted for a tensor of rows.
        """
        ...

    def views(self, rows: IntArray, epoch: int, seeds: Sequence[int]) -> IntArray:
        """Return the inputs' rows that are views of some rows.

        They are those of an epoch.
        """
        ...

    def view_count(self, epoch: int) -> int:
        """Return the number of views that a row has in an epoch."""
        ...


class FeatureInputs:
    """Frozen features, float (rows, width)."""

    shared, gathers = True, True

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def to(self, device: torch.device) -> FeatureInputs:
        """Return the same features on a device."""
        if device.type != "cpu":
            return FeatureInputs(self._features.to(device))
        # A gather from a memory map would read the disk's pages once a step.
        return FeatureInputs(self._features.clone())

    def equals(self, other: Inputs) -> bool:
        """Return False: a stack of heads is made in no time."""
        return False

    def batches(self, rows: IntArray, size: int, seed: int, epoch: int) -> list[IntArray]:
        """Return the rows in an order drawn from seed and epoch."""
        order = rows[seeding.numpy_generator(seed, "order", epoch).permutation(len(rows))]
        return [order[start : start + size] for start in range(0, len(order), size)]

    def scoring(self, rows: IntArray, size: int) -> list[IntArray]:
        """Return all rows at once."""
        return [rows]

    def cells_at_once(self, rows: int) -> int:
        """Return the number of cells with 64 MB of features."""
        return max(1, _VALUES_AT_ONCE // (rows * self._features.shape[1]))

    def length(self, rows: IntArray) -> None:
        """Return None: features are no tokens."""

    def whole(self, rows: IntArray, length: int | None) -> bool:
        """Return True: a row has nothing to pad."""
        return True

    def at(self, rows: IntArray | Tensor, length: int | None = None) -> Tensor:
        """Return features, (cells, batch, width)."""
        return self._features[torch.as_tensor(rows, device=self._features.device)]

    def views(self, rows: IntArray, epoch: int, seeds: Sequence[int]) -> IntArray:
        """Return the rows: frozen features have one view."""
        return rows

    def view_count(self, epoch: int) -> int:
        """Return 1."""
        return 1


class TokenInputs:
    """Tokens or hidden states, padded to the longest row of a step."""

    shared = False

    def __init__(self, tokens: Tokens) -> None:
        self._tokens, self._inputs = tokens, tokens.inputs
        self._source = tokens.inputs
        self._device = torch.device("cpu")
        self.gathers = self._inputs.gathers

    def to(self, device: torch.device) -> TokenInputs:
        """Return the same rows, for batches on another device."""
        moved = TokenInputs(self._tokens)
        moved._inputs, moved._device = self._inputs.to(device), device
        moved.gathers = moved._inputs.gathers
        return moved

    def equals(self, other: Inputs) -> bool:
        """Tell if these are another object's rows, in the same memory."""
        return (
            isinstance(other, TokenInputs)
            and other._source is self._source
            and other._tokens.views == self._tokens.views
        )

    def batches(self, rows: IntArray, size: int, seed: int, epoch: int) -> list[IntArray]:
        """Return the batches that the cell would meet alone.

        Their rows are of similar length.
        """
        buckets = LengthBuckets(self._tokens.lengths[rows], size, seed)
        buckets.epoch = epoch
        return [rows[places] for places in buckets]

    def scoring(self, rows: IntArray, size: int) -> list[IntArray]:
        """Return batches of twice the size, in order of length."""
        buckets = LengthBuckets(self._tokens.lengths[rows], 2 * size, None)
        return [rows[places] for places in buckets]

    def cells_at_once(self, rows: int) -> int:
        """Return no limit.

        Without gradients a batch takes less memory than in training.
        """
        return sys.maxsize

    def length(self, rows: IntArray) -> int:
        """Return the number of tokens of the longest row.

        On a GPU it is rounded up, so that few lengths occur: each is recorded once.
        """
        longest = self._inputs.longest(rows)
        if self._device.type == "cpu":
            return longest
        # Never beyond the longest text of all: a model has that many positions.
        return max(longest, min(rounded_up(longest), int(self._tokens.lengths.max())))

    def whole(self, rows: IntArray, length: int | None) -> bool:
        """Tell if no row is padded, as where texts are cut."""
        return self._inputs.shortest(rows) == length

    def at(self, rows: IntArray | Tensor, length: int | None = None) -> dict[str, Tensor]:
        """Return each input (cells, batch, length, ...).

        The mask is bool (cells, batch, 1, 1, length) and ready for use: transformers would read the
        values of another, which a stack cannot allow.
        """
        inputs = self._inputs.padded(rows, length)
        mask = inputs["attention_mask"].bool()
        return {**inputs, "attention_mask": mask[:, :, None, None]}

    def views(self, rows: IntArray, epoch: int, seeds: Sequence[int]) -> IntArray:
        """Return the corpus rows, (cells, views x batch)."""
        return in_epoch(rows, self._tokens.views, epoch, seeds)

    def view_count(self, epoch: int) -> int:
        """Return the number of a row's views in the corpus."""
        return self._tokens.views.views


def rounded_up(length: int) -> int:
    """Round a number of tokens up to one of few sizes.

    It is a multiple of 8, and of an eighth of the power of two below it. That adds less than an
    eighth to a long text, and matrix units want multiples of 8.
    """
    step = max(8, (1 << (length.bit_length() - 1)) // 8)
    return -(-length // step) * step
