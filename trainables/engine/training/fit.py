"""Trains one cell from its first epoch to its last."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.training import checkpoint as checkpoints
from trainables.engine.training.loop import Training

Scorer = Callable[[IntArray, Float32Array], Mapping[str, float]]
"""From held-out rows and their probabilities to metrics by name."""


@dataclass
class Fit:
    """Result of training one cell.

    Attributes:
        rows: Held-out rows, int64 (held_out,), ascending.
        probabilities: Class probabilities of these rows, float32 (held_out, classes).
        epochs: Metrics after each epoch, in order.
        facts: Numbers reported beside the scores: the chosen epoch, results of a read-out.
        module: Trained module; None for a cell of a scored stack.
        curves: Losses by step, points (step from 1, value) by name; most cells keep none.
    """

    rows: IntArray
    probabilities: Float32Array
    epochs: list[Mapping[str, float]] = field(default_factory=list)
    facts: Mapping[str, float] = field(default_factory=dict)
    module: Any = None
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)


def fit(
    training: Training,
    score: Scorer | None = None,
    *,
    each_epoch: bool = True,
    evaluate: bool = False,
    checkpoint: Path | None = None,
) -> Fit:
    """Train one cell.

    Args:
        training: The cell's training, before its first epoch.
        score: Metrics of the held-out rows, reported after every epoch; None reports none.
        each_epoch: False to score after the last epoch alone, where no rows choose the epoch.
        evaluate: Without a score, predict the held-out rows by the epoch that counts.
        checkpoint: Folder saved to after each long epoch; a saved cell goes on from it.

    Raises:
        DivergedError: if a loss or a logit is not finite.
        BrokenCheckpointError: if the module may hold half of a checkpoint, which is gone now.
    """
    epochs = checkpoints.load(training, checkpoint)
    held_out = np.sort(training.data.held_out)
    best = _BestEpoch(training) if evaluate and score is None else None
    last_alone = not each_epoch and not len(training.data.valid)
    for number in range(len(epochs), training.config.epochs):
        if training.choice.over(number, training.config.patience):
            break
        began = time.perf_counter()
        metrics = {"epoch": number + 1.0, "train_loss": training.epoch(number)}
        if best is not None:
            best.after(number + 1)
        elif score is not None and (not last_alone or number + 1 == training.config.epochs):
            probabilities, chosen = training.scored(number + 1)
            metrics |= {**score(held_out, probabilities), **chosen, **training.facts}
        epochs.append({**metrics, "seconds": time.perf_counter() - began})
        checkpoints.save(training, checkpoint, epochs)
    probabilities = training.choice.probabilities if best is None else best.probabilities()
    facts = {**training.choice.facts, **training.facts}
    module = training.accelerator.unwrap_model(training.module)
    return Fit(held_out, probabilities, epochs, facts, module, training.losses.curves)


class _BestEpoch:
    """Predictions of the epoch that counts, with few scored rows.

    Args:
        training: A training before its first epoch.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._chooses = len(training.data.valid) > 0
        # The weights of an epoch can be put back, but for averages, which are kept elsewhere.
        plain = training.data.evaluation is None and training.averages is None
        self._weights: dict[str, Any] | None = {} if plain and self._chooses else None
        if self._weights is not None:
            training.score_only(training.data.valid)

    def after(self, epoch: int) -> None:
        """Score the rows that choose the epoch, after an epoch from 1."""
        training = self._training
        if not self._chooses and epoch < training.config.epochs:
            return  # the last one counts
        training.scored(epoch)
        if self._weights is not None and training.choice.facts["chosen_epoch"] == epoch:
            self._weights = copy.deepcopy(training.module.state_dict())

    def probabilities(self) -> Float32Array:
        """Predict the held-out rows, with the weights of the best epoch."""
        if self._weights is None:
            return self._training.choice.probabilities
        self._training.module.load_state_dict(self._weights)
        self._training.score_only(self._training.data.held_out)
        return self._training.predict()[1]
