"""Training of one cell, step by step, on accelerate.Accelerator; `fit` runs it.

AdamW without decay on biases and normalisation, linear warm-up then linear or cosine decay,
optional clipping, mixed precision. A stack of cells takes the same steps in `stacking/trainer.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate.utils import DistributedDataParallelKwargs, gather_object
from torch import nn

from trainables.engine import seeding
from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.errors import DivergedError
from trainables.engine.inputs.tokens import Collator, Tokens, loader
from trainables.engine.models import frozen_blocks
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.training import distributed, dropout, dropout_masks
from trainables.engine.training.accelerator import fresh_accelerator
from trainables.engine.training.ema import Averages
from trainables.engine.training.epoch_choice import TRAINING, VALIDATION, Choice, StepLosses
from trainables.engine.training.read_out import Evaluation

# Name in a Config -> its name in transformers.
_SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}
# Steps between two looks at a loss that may not be finite: looking makes a GPU wait.
_STEPS_BETWEEN_LOOKS = 16


@dataclass(frozen=True, eq=False)
class CellData:
    """Rows of one cell.

    Attributes:
        tokens: Inputs of all rows.
        train: Rows to train on, ascending.
        held_out: Rows to score, ascending.
        valid: Rows that choose the epoch, ascending; most cells have none.
        evaluation: Read-out of the module's outputs; None where they are logits.
        fold: Fold of the cell; with the seed it decides dropout.
    """

    tokens: Tokens
    train: IntArray
    held_out: IntArray
    valid: IntArray = field(default_factory=lambda: NO_ROWS)
    evaluation: Evaluation | None = None
    fold: int = 0


class Training:
    """One cell's model, optimizer, schedule and loaders, on their device.

    Args:
        module: Module that maps (inputs, labels) to an Output.
        data: Rows of the cell.
        config: Hyper-parameters of the cell.
        seed: Seed of order and dropout.
        compiled: True to let torch.compile fuse the model's steps, which takes a minute or more.
        ema_decay: Decay of the weights' moving average, which is scored; 0 scores the weights.
        step_losses: Steps between two points of `losses`; 0 keeps none.
    """

    def __init__(
        self,
        module: nn.Module,
        data: CellData,
        config: TrainingConfig,
        seed: int,
        compiled: bool = False,
        ema_decay: float = 0.0,
        step_losses: int = 0,
    ) -> None:
        self.accelerator = fresh_accelerator(
            config.precision,
            # An encoder's own pooler is part of no loss.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        place = (self.accelerator.process_index, self.accelerator.num_processes)
        self._alone = place[1] == 1
        self.config, self.seed, self.data = config, seed, data
        self._parts = config.accumulation if isinstance(config, FineTuning) else 1
        self.train, self._order = loader(
            data.tokens, data.train, config.batch_size, seed, place, data.fold
        )
        scored = np.concatenate([data.held_out, data.valid])
        if data.evaluation is not None:
            scored = data.evaluation.rows
        self.facts: Mapping[str, float] = {}
        if compiled:
            module.compile(dynamic=True)
        if isinstance(config, FineTuning) and config.checkpointing:
            dropout.checkpoint_blocks(module)
        optimizer = torch.optim.AdamW(_groups(module, config), lr=config.learning_rate, fused=True)
        self.module, self.optimizer = self.accelerator.prepare(module, optimizer)
        if self._alone:
            # Processes deal batches out themselves: accelerate repeats rows of uneven ones.
            self.train = self.accelerator.prepare(self.train)
        if len(scored):
            self.score_only(scored)
        self.averages: Averages | None = None
        if ema_decay:
            weights = list(self.accelerator.unwrap_model(self.module).parameters())
            self.averages = Averages(weights, torch.tensor([ema_decay]), alone=True)
            self.accelerator.register_for_checkpointing(self.averages)
        self.choice = Choice(data.tokens.labels[data.valid])
        if len(data.valid):
            self.accelerator.register_for_checkpointing(self.choice)
        self.losses = StepLosses(step_losses)
        if step_losses:
            self.accelerator.register_for_checkpointing(self.losses)
            place = (self.accelerator.process_index, self.accelerator.num_processes)
            size = 2 * config.batch_size
            self._valid, _ = loader(data.tokens, data.valid, size, None, place)
        self.steps_per_epoch = len(self.train)
        self.steps = config.epochs * self.steps_per_epoch
        # Stepped by hand, once a step: accelerate's own would count the processes.
        self.schedule = _schedule(config, optimizer, self.steps)

    def score_only(self, rows: IntArray) -> None:
        """Restrict scoring to these rows (default: held-out and validation rows)."""
        place = (self.accelerator.process_index, self.accelerator.num_processes)
        size = 2 * self.config.batch_size
        self.held_out, _ = loader(self.data.tokens, rows, size, None, place)
        if self._alone:
            self.held_out = self.accelerator.prepare(self.held_out)

    def epoch(self, number: int, most_steps: int | None = None) -> float:
        """Train one epoch and return its mean loss.

        Args:
            number: Number of the epoch, from 0; it decides order and dropout, so that a resumed
                cell goes on as it would have.
            most_steps: Number of batches to stop after, for a measurement.

        Raises:
            DivergedError: if a loss is not finite.
        """
        self._order.epoch = number
        # For models that draw by themselves; dropout follows the rows' keys.
        seeding.start_stream(self.seed, "dropout", self.data.fold, number)
        self.module.train()
        total = torch.zeros((), device=self.accelerator.device)
        count = 0
        for count, batch in enumerate(self.train, start=1):
            loss = self._backward(batch, count)
            if self.config.clip_norm:
                self.accelerator.clip_grad_norm_(self.module.parameters(), self.config.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            if self.averages is not None:
                self.averages.update()
            self.optimizer.zero_grad()
            total += loss
            self._keep_losses(number * self.steps_per_epoch + count, loss)
            # The processes leave together or not at all: gradients are all of theirs.
            if count % _STEPS_BETWEEN_LOOKS == 0 and not self._finite(total):
                break
            if count == most_steps:
                break
        mean = float(self.accelerator.reduce(total, "mean")) / max(count, 1)
        if not math.isfinite(mean):
            raise DivergedError(f"the training loss became {mean} in epoch {number + 1}")
        return mean

    def _backward(self, batch: dict[str, torch.Tensor], count: int) -> torch.Tensor:
        """Add the gradient of a batch and return its loss.

        It is taken in parts where the config says so.
        """
        keys = batch.pop("keys").to(self.accelerator.device)
        inputs, labels, _ = self._placed(batch)
        parts = min(self._parts, len(labels))
        whole = torch.zeros((), device=self.accelerator.device)
        for part in torch.arange(len(labels), device=labels.device).tensor_split(parts):
            own, classes, drawn = inputs, labels, keys
            if parts > 1:
                own = {name: value[part] for name, value in inputs.items()}
                # The last key is of the step, the others of its rows.
                classes, drawn = labels[part], torch.cat([keys[:-1][part], keys[-1:]])
            with dropout.drawing(dropout_masks.Step(drawn[None], count)):
                loss = distributed.weighted(self.module(own, classes).loss, len(labels))
            if parts > 1:
                loss = loss * (len(classes) / len(labels))
            self.accelerator.backward(loss)
            whole += loss.detach()
        return whole

    def _keep_losses(self, step: int, loss: torch.Tensor) -> None:
        """Keep the losses of a step that is due."""
        if not self.losses.due(step):
            return
        mean = float(self.accelerator.reduce(loss.detach(), "mean"))
        self.losses.add(TRAINING, step, mean)
        if len(self.data.valid):
            self.losses.add(VALIDATION, step, self._valid_loss())

    @torch.no_grad()
    def _valid_loss(self) -> float:
        """Mean loss of the rows kept apart; nothing is drawn."""
        self.module.eval()
        sums = torch.zeros(2, device=self.accelerator.device)
        for batch in self._valid:
            inputs, labels, _ = self._placed(batch)
            loss = self.module(inputs, labels).loss.detach()
            sums += torch.stack([loss * len(labels), loss.new_tensor(len(labels))])
        self.module.train()
        total, rows = self.accelerator.reduce(sums, "sum").tolist()
        return float(total / rows)

    def _placed(
        self, batch: dict[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Move a batch to the device: inputs, labels and row numbers."""
        inputs = {name: value.to(self.accelerator.device) for name, value in batch.items()}
        labels, rows = inputs.pop("labels"), inputs.pop("rows")
        return inputs, labels, rows

    def _finite(self, total: torch.Tensor) -> bool:
        return bool(torch.isfinite(self.accelerator.reduce(total, "sum")))

    def largest_loss(self) -> torch.Tensor:
        """Loss of the longest possible batch, to measure its memory."""
        tokens, rows = self.data.tokens, self.data.train
        longest = rows[np.argsort(tokens.lengths[rows])[-self.config.batch_size :]]
        batch = Collator(tokens, self._order, (self.seed, self.data.fold))(longest.tolist())
        keys = batch.pop("keys").to(self.accelerator.device)
        inputs, labels, _ = self._placed(batch)
        self.module.train()
        with dropout.drawing(dropout_masks.Step(keys[None], 0)):
            loss: torch.Tensor = self.module(inputs, labels).loss
        return loss

    def scored(self, epoch: int) -> tuple[Float32Array, dict[str, float]]:
        """Predict held-out rows after an epoch; score rows that choose it.

        Args:
            epoch: Number of the epoch, from 1.

        Raises:
            DivergedError: as `predict`.
        """
        rows, probabilities = self.predict()
        chooses = np.isin(rows, self.data.valid)
        held_out = probabilities[~chooses]
        return held_out, self.choice.see(epoch, held_out, probabilities[chooses])

    @torch.no_grad()
    def predict(self) -> tuple[IntArray, Float32Array]:
        """Rows that are scored, ascending, and their probabilities, (rows, classes).

        Numbers that a read-out reports are in `facts` then.

        Raises:
            DivergedError: if a logit is not finite.
        """
        if self.averages is None:
            return self._predict()
        with self.averages.applied():
            return self._predict()

    def _predict(self) -> tuple[IntArray, Float32Array]:
        self.module.eval()
        rows, logits = [], []
        for batch in self.held_out:
            inputs, labels, numbers = self._placed(batch)
            output = self.module(inputs, labels)
            rows.append(numbers.cpu())
            logits.append(output.logits.float().cpu())
        if not self._alone:
            parts = gather_object([(torch.cat(rows), torch.cat(logits))])
            rows, logits = [part[0] for part in parts], [part[1] for part in parts]
        ids: IntArray = torch.cat(rows).numpy()
        scores = torch.cat(logits)
        if not torch.isfinite(scores).all():
            raise DivergedError("the logits of held-out rows are not finite")
        order = np.argsort(ids)
        if not self._alone:  # a batch too small to be shared was scored by all
            _, order = np.unique(ids, return_index=True)
        evaluation = self.data.evaluation
        if evaluation is None:
            return ids[order], torch.softmax(scores, dim=-1).numpy()[order]
        reading = evaluation.read(scores.numpy()[order])
        self.facts = reading.facts
        ascending = np.argsort(evaluation.scored)
        return evaluation.scored[ascending], reading.probabilities[ascending]


def _schedule(config: TrainingConfig, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    # Imported when a cell is trained: the driver, which trains none, does without.
    from transformers import get_scheduler

    warmup = math.ceil(config.warmup_fraction * steps)
    return get_scheduler(_SCHEDULES[config.schedule], optimizer, warmup, steps)


def _groups(module: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """Split the parameters by their decay and their rate.

    Vectors (biases, normalisation) are not decayed.
    """
    decay = config.layer_decay if isinstance(config, FineTuning) else 1.0
    depths = frozen_blocks.depths(module) if decay < 1 else {}
    groups: dict[tuple[bool, int], list[nn.Parameter]] = {(True, 0): [], (False, 0): []}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            kind = (parameter.ndim > 1, depths.get(name, 0))
            groups.setdefault(kind, []).append(parameter)
    return [
        {
            "params": parameters,
            "weight_decay": config.weight_decay if wide else 0.0,
            "lr": config.learning_rate * decay**depth,
        }
        for (wide, depth), parameters in groups.items()
    ]
