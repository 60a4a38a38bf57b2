"""A cell as a part of a stack."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import nn

from trainables.engine.arrays import IntArray
from trainables.engine.config import TrainingConfig
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.training.read_out import Evaluation


@dataclass(frozen=True, eq=False)
class StackCell:
    """One cell of a stack.

    Attributes:
        module: Module of the cell, drawn already.
        config: Hyper-parameters of the cell.
        seed: Seed of order and dropout.
        train: Rows to train on.
        held_out: Rows to score.
        valid: Rows that choose the epoch; most cells have none.
        evaluation: Read-out of the module's outputs; None where they are logits.
        ema_decay: Decay of the weights' moving average, which is scored; 0 scores the weights.
        fold: Fold of the cell; with the seed it decides dropout.
        first: Number of the data's first row, where cells have tables of their own.
    """

    module: nn.Module
    config: TrainingConfig
    seed: int
    train: IntArray
    held_out: IntArray
    valid: IntArray = field(default_factory=lambda: NO_ROWS)
    evaluation: Evaluation | None = None
    ema_decay: float = 0.0
    fold: int = 0
    first: int = 0

    @property
    def scored(self) -> IntArray:
        """All rows whose outputs are needed after an epoch."""
        if self.evaluation is not None:
            return self.evaluation.rows
        return np.concatenate([self.held_out, self.valid])
