"""The output of every trainable's module, and parts that know the labels."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from trainables.engine.arrays import IntArray


class Output(NamedTuple):
    """A scalar loss and the logits, (batch, classes)."""

    loss: Tensor
    logits: Tensor


class LearnsLabels(nn.Module):
    """A part of a module that is told the training labels."""

    def learn_labels(self, labels: IntArray) -> None:
        """Take what the part needs of the labels.

        Args:
            labels: Class ids of the training rows, (rows,).
        """
        raise NotImplementedError
