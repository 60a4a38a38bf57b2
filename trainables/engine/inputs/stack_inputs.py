"""What a stack is fed: frozen features, or tokens; many cells' batches at once."""

from __future__ import annotations

import sys
from typing import Any, Protocol

import torch
from torch import Tensor

from trainables.engine import seeding
from trainables.engine.arrays import IntArray
from trainables.engine.inputs import tokens as batches
from trainables.engine.inputs.views import in_epoch, views_in

# Held-out rows are scored for so many values at a time: 64 MB of features.
_VALUES_AT_ONCE = 2**24


class Inputs(Protocol):
    """The rows of a data set, as a module takes them.

    Attributes:
        shared: Whether cells that meet the same batches are given them once.
    """

    shared: bool

    def to(self, device: torch.device) -> Inputs:
        """The same, giving batches on a device."""
        ...

    def batches(self, rows: IntArray, size: int, seed: int, epoch: int) -> list[IntArray]:
        """One epoch's batches of a cell's rows, in order.

        Args:
            rows: What the cell is trained on.
            size: Rows a batch; one batch may be smaller.
            seed: The cell's seed.
            epoch: From 0.
        """
        ...

    def scoring(self, rows: IntArray, size: int) -> list[IntArray]:
        """A cell's held-out rows in parts that fit into memory."""
        ...

    def cells_at_once(self, rows: int) -> int:
        """How many cells may be scored together, at so many rows each."""
        ...

    def at(self, rows: IntArray) -> Any:
        """What the module takes for some rows of each cell, int64 (cells, batch)."""
        ...

    def views(self, rows: IntArray, epoch: int) -> Any:
        """The same for rows to train on: all their views in an epoch."""
        ...

    def view_count(self, epoch: int) -> int:
        """How many views of a row an epoch has."""
        ...


class FeatureInputs:
    """Frozen features, float (rows, width)."""

    shared = True

    def __init__(self, features: Tensor) -> None:
        self._features = features

    def to(self, device: torch.device) -> FeatureInputs:
        """The same on a device."""
        if device.type != "cpu":
            return FeatureInputs(self._features.to(device))
        # A gather from a memory map would read the disk's pages once a step.
        return FeatureInputs(self._features.clone())

    def batches(self, rows: IntArray, size: int, seed: int, epoch: int) -> list[IntArray]:
        """The rows in an order drawn from seed and epoch, cut into batches."""
        order = rows[seeding.numpy_generator(seed, "order", epoch).permutation(len(rows))]
        return [order[start : start + size] for start in range(0, len(order), size)]

    def scoring(self, rows: IntArray, size: int) -> list[IntArray]:
        """All rows at once."""
        return [rows]

    def cells_at_once(self, rows: int) -> int:
        """As many as give 64 MB of features."""
        return max(1, _VALUES_AT_ONCE // (rows * self._features.shape[1]))

    def at(self, rows: IntArray) -> Tensor:
        """Features, (cells, batch, width)."""
        return self._features[torch.as_tensor(rows, device=self._features.device)]

    def views(self, rows: IntArray, epoch: int) -> Tensor:
        """As `at`: frozen features have one view."""
        return self.at(rows)

    def view_count(self, epoch: int) -> int:
        """One."""
        return 1


class TokenInputs:
    """Tokens, or hidden states of tokens, padded to the longest row of a step."""

    shared = False

    def __init__(self, tokens: batches.Tokens) -> None:
        self._tokens, self._inputs = tokens, tokens.inputs

    def to(self, device: torch.device) -> TokenInputs:
        """The same on a device."""
        moved = TokenInputs(self._tokens)
        moved._inputs = self._inputs.to(device)
        return moved

    def batches(self, rows: IntArray, size: int, seed: int, epoch: int) -> list[IntArray]:
        """The batches that the cell would meet alone: rows of similar length."""
        buckets = batches.LengthBuckets(self._tokens.lengths[rows], size, seed)
        buckets.epoch = epoch
        return [rows[places] for places in buckets]

    def scoring(self, rows: IntArray, size: int) -> list[IntArray]:
        """Twice a training batch at once, in order of length."""
        buckets = batches.LengthBuckets(self._tokens.lengths[rows], 2 * size, None)
        return [rows[places] for places in buckets]

    def cells_at_once(self, rows: int) -> int:
        """All: without gradients a batch takes less memory than it took in training."""
        return sys.maxsize

    def at(self, rows: IntArray) -> dict[str, Tensor]:
        """Each input (cells, batch, length, ...); the mask bool (cells, batch, 1, 1, length).

        A ready mask: transformers would look at the values of another, which a stack cannot.
        """
        given = self._inputs.padded(rows)
        mask = given["attention_mask"].bool()
        return {**given, "attention_mask": mask[:, :, None, None]}

    def views(self, rows: IntArray, epoch: int) -> dict[str, Tensor]:
        """The same with the views of the rows: each input (cells, views x batch, length, ...)."""
        return self.at(in_epoch(rows, self._tokens.views, epoch))

    def view_count(self, epoch: int) -> int:
        """As many as the corpus has of a row."""
        return views_in(self._tokens.views, epoch)
