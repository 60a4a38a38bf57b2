"""The output of every trainable's module for a batch."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Output(NamedTuple):
    """A scalar loss and the logits, (batch, classes)."""

    loss: Tensor
    logits: Tensor
