"""Cross-entropy with the weights and the smoothing that a config asks for.

    loss = sum_i w[y_i] (-log p_i[y_i]) / sum_i w[y_i]

With smoothing e the target is 1 - e + e / C on the label and e / C on each other class, as PyTorch
has it. At neither setting it is PyTorch's cross-entropy itself, to the last bit.

    here             range            unit
    class_weights    none, balanced   none
    label_smoothing  [0, 1)           none

"balanced" is scikit-learn's: rows / (classes x rows of the class), over the rows trained on.
Reference values: tests/trainables/losses/test_class_loss.py.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.engine.arrays import IntArray
from trainables.engine.config import ClassifierTuning
from trainables.engine.models.output import LearnsLabels
from trainables.engine.training import distributed


class ClassLoss(LearnsLabels):
    """Loss of a classifier's logits.

    Args:
        config: Config of the cell.
        num_classes: Number of classes.
        mixed: True where cells of one stack may differ in weights and smoothing: they then take
            the same steps, with weights of 1 and a smoothing of 0.
    """

    weights: Tensor
    smoothing: Tensor

    def __init__(self, config: ClassifierTuning, num_classes: int, *, mixed: bool = False) -> None:
        super().__init__()
        self.balanced = config.class_weights == "balanced"
        self.plain = not (mixed or self.balanced or config.label_smoothing)
        # Buffers, not numbers: in a stack of cells each cell has its own.
        self.register_buffer("weights", torch.ones(num_classes), persistent=False)
        smoothing = torch.tensor(float(config.label_smoothing))
        self.register_buffer("smoothing", smoothing, persistent=False)

    def learn_labels(self, labels: IntArray) -> None:
        """Weigh the classes by the rows trained on."""
        if self.balanced:
            self.weights.copy_(class_weights(labels, len(self.weights), "balanced"))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar in nats.

        Args:
            logits: Logits, (batch, classes).
            labels: Class ids in [0, classes), int64 (batch,).
        """
        if self.plain:
            return functional.cross_entropy(logits, labels)
        scores = functional.log_softmax(logits.float(), dim=-1)
        # Of a smoothed target, as PyTorch weighs it: each class's part by that class's weight.
        target = -(scores * self.weights).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        every = -(scores * self.weights).mean(dim=-1)
        losses = (1 - self.smoothing) * target + self.smoothing * every
        total = self.weights.gather(0, labels).sum()
        return distributed.counted_by(losses.sum() / total, total, len(labels))


def class_weights(labels: IntArray, num_classes: int, kind: str) -> Tensor:
    """Weights of classes in the loss, float32 (classes,).

    Over the rows they are 1 on average.

    Args:
        labels: Class ids of the training rows, (rows,).
        num_classes: Number of classes.
        kind: "none" or "balanced".
    """
    if kind == "none":
        return torch.ones(num_classes)
    rows = np.bincount(labels, minlength=num_classes)
    return torch.from_numpy(len(labels) / (num_classes * np.maximum(rows, 1))).float()
