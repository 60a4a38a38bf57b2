"""Choice of the epoch on rows kept apart; losses by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from trainables.engine.arrays import Float32Array, IntArray
from trainables.metrics.class_accuracy import class_accuracy

Curve = list[tuple[int, float]]
"""Points (step from 1, value)."""

TRAINING, VALIDATION = "step_train_loss", "step_valid_loss"


class StepLosses:
    """Losses of a cell by step.

    They are of its batches, and of the rows kept apart.

    Args:
        every: Steps between two points; 0 keeps none.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._points: dict[str, Curve] = {}

    def due(self, step: int) -> bool:
        """True for a step that has a point; step 1 has."""
        return self.every > 0 and (step - 1) % self.every == 0

    def add(self, name: str, step: int, value: float) -> None:
        """Add a point."""
        self._points.setdefault(name, []).append((step, value))

    @property
    def curves(self) -> dict[str, Curve]:
        """Points by name."""
        return {name: list(points) for name, points in self._points.items()}

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            name: torch.tensor(points, dtype=torch.float64) for name, points in self._points.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._points = {
            name: [(int(step), float(value)) for step, value in points.tolist()]
            for name, points in state.items()
        }


class Choice:
    """Held-out predictions of the epoch that counts.

    Args:
        labels: Class ids of the rows that choose, int64 (valid,); without any, the last epoch
            counts.
    """

    def __init__(self, labels: IntArray) -> None:
        self._labels = labels
        self._epoch, self._score = 0, -1.0
        self.probabilities: Float32Array = np.zeros((0, 0), np.float32)

    def see(self, epoch: int, held_out: Float32Array, valid: Float32Array) -> dict[str, float]:
        """Compare an epoch with the best one so far.

        Args:
            epoch: Number of the epoch, from 1.
            held_out: Probabilities of the held-out rows, (held_out, classes).
            valid: Probabilities of the rows that choose, in the order of `labels`, (valid,
                classes).

        Returns:
            Metrics to report with the epoch.
        """
        if not len(self._labels):
            self.probabilities = held_out
            return {}
        score = class_accuracy(self._labels, valid)
        if score > self._score:  # the earlier of equals: it has fitted less
            self._epoch, self._score, self.probabilities = epoch, score, held_out
        return {"inner_class_accuracy": score}

    def over(self, epoch: int, patience: int) -> bool:
        """True once so many epochs have brought nothing better.

        Args:
            epoch: Number of epochs trained.
            patience: Epochs to wait; 0 waits for ever.
        """
        return bool(patience and len(self._labels) and epoch - self._epoch >= patience)

    @property
    def facts(self) -> Mapping[str, float]:
        """Facts to report with the cell."""
        if not len(self._labels):
            return {}
        return {"chosen_epoch": float(self._epoch), "inner_class_accuracy": self._score}

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {
            "epoch": torch.tensor(self._epoch),
            "score": torch.tensor(self._score, dtype=torch.float64),
            "probabilities": torch.from_numpy(self.probabilities),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._epoch, self._score = int(state["epoch"]), float(state["score"])
        self.probabilities = state["probabilities"].numpy()
