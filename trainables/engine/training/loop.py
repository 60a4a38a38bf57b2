"""THE training loop, on accelerate.Accelerator: every trainable's cells go through `fit`.

Per cell: AdamW without decay on biases and normalisation, linear warm-up then linear or cosine
decay, optional clipping and accumulation, mixed precision; after each epoch the held-out rows are
scored and, where a folder is given, everything is saved, so that a cell that is cut off goes on at
its last epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate.utils import DistributedDataParallelKwargs, gather_object
from torch import nn

from trainables.engine import seeding
from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.config import TrainingConfig
from trainables.engine.errors import DivergedError
from trainables.engine.inputs import tokens as batches
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.training import distributed, dropout, dropout_masks
from trainables.engine.training.accelerator import fresh_accelerator
from trainables.engine.training.ema import Averages
from trainables.engine.training.epoch_choice import Choice
from trainables.engine.training.read_out import Evaluation


def _constant(optimizer: torch.optim.Optimizer, warmup: int, _: int) -> Any:
    """No decay after the warm-up, however many steps there are."""
    from transformers import get_constant_schedule_with_warmup

    return get_constant_schedule_with_warmup(optimizer, warmup)


def _linear(optimizer: torch.optim.Optimizer, warmup: int, steps: int) -> Any:
    """Down to 0 in a straight line."""
    from transformers import get_linear_schedule_with_warmup

    return get_linear_schedule_with_warmup(optimizer, warmup, steps)


def _cosine(optimizer: torch.optim.Optimizer, warmup: int, steps: int) -> Any:
    """Down to 0 along half a cosine."""
    from transformers import get_cosine_schedule_with_warmup

    return get_cosine_schedule_with_warmup(optimizer, warmup, steps)


# transformers is imported when a cell is trained: the driver, which trains none, does without.
SCHEDULES: dict[str, Callable[..., Any]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
}
# How many steps may pass before a loss that is not finite is noticed: looking makes a GPU wait.
_STEPS_BETWEEN_LOOKS = 16


@dataclass(frozen=True, eq=False)
class CellData:
    """The rows of one cell: a tokenised data set, what is trained on, held out, chooses the epoch.

    Row numbers ascend; most cells have none that choose. Where a read-out makes probabilities of
    the module's outputs, the evaluation is its own for these rows. The fold decides, with the seed,
    what is dropped.
    """

    tokens: batches.Tokens
    train: IntArray
    held_out: IntArray
    valid: IntArray = field(default_factory=lambda: NO_ROWS)
    evaluation: Evaluation | None = None
    fold: int = 0


class Training:
    """One cell's model, optimizer, schedule and loaders, ready on their device.

    Args:
        module: Gives an Output (loss, logits) for (inputs, labels).
        data: The cell's rows.
        settings: The cell's hyper-parameters.
        seed: Drives order and dropout.
        compiled: Let torch.compile fuse the model's steps: a minute or more before the first one.
        ema_decay: Of the weights' moving average, which is scored; 0 for the weights themselves.
    """

    def __init__(
        self,
        module: nn.Module,
        data: CellData,
        settings: TrainingConfig,
        seed: int,
        compiled: bool = False,
        ema_decay: float = 0.0,
    ) -> None:
        self.accelerator = fresh_accelerator(
            settings.precision,
            # An encoder's own pooler gives nothing that a loss is made of.
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
        )
        place = (self.accelerator.process_index, self.accelerator.num_processes)
        self._alone = place[1] == 1
        self.settings, self.seed, self.data = settings, seed, data
        self.train, self._order = batches.loader(
            data.tokens, data.train, settings.batch_size, seed, place, data.fold
        )
        scored = np.concatenate([data.held_out, data.valid])
        if data.evaluation is not None:
            scored = data.evaluation.rows
        self.facts: Mapping[str, float] = {}
        if compiled:
            module.compile(dynamic=True)
        optimizer = torch.optim.AdamW(
            _groups(module, settings.weight_decay), lr=settings.learning_rate, fused=True
        )
        self.module, self.optimizer = self.accelerator.prepare(module, optimizer)
        if self._alone:
            # Processes deal batches out themselves: accelerate repeats rows of uneven ones.
            self.train = self.accelerator.prepare(self.train)
        if len(scored):
            self.score_only(scored)
        self.averages: Averages | None = None
        if ema_decay:
            own = list(self.accelerator.unwrap_model(self.module).parameters())
            self.averages = Averages(own, torch.tensor([ema_decay]), alone=True)
            self.accelerator.register_for_checkpointing(self.averages)
        self.choice = Choice(data.tokens.labels[data.valid])
        if len(data.valid):
            self.accelerator.register_for_checkpointing(self.choice)
        self.steps_per_epoch = len(self.train)
        self.steps = settings.epochs * self.steps_per_epoch
        # Stepped by hand, once a step: accelerate's own would count the processes.
        self.schedule = SCHEDULES[settings.schedule](
            optimizer, math.ceil(settings.warmup_fraction * self.steps), self.steps
        )

    def score_only(self, rows: IntArray) -> None:
        """Let `predict` and `scored` look at these rows; without it, at all held out and valid."""
        place = (self.accelerator.process_index, self.accelerator.num_processes)
        size = 2 * self.settings.batch_size
        self.held_out, _ = batches.loader(self.data.tokens, rows, size, None, place)
        if self._alone:
            self.held_out = self.accelerator.prepare(self.held_out)

    def epoch(self, number: int, most_steps: int | None = None) -> float:
        """Train one epoch and return its mean loss.

        Args:
            number: From 0; decides order and dropout, so that a resumed cell goes on as it would.
            most_steps: Stop after so many batches, for a measurement.

        Raises:
            DivergedError: if a loss is not finite.
        """
        self._order.epoch = number
        # For models that draw by ways of their own; dropout looks at the rows' keys.
        seeding.start_stream(self.seed, "dropout", self.data.fold, number)
        self.module.train()
        total = torch.zeros((), device=self.accelerator.device)
        count = 0
        for count, given in enumerate(self.train, start=1):
            keys = given.pop("keys").to(self.accelerator.device)
            batch, labels, _ = self._placed(given)
            with dropout.drawing(dropout_masks.Step(keys[None], count)):
                loss = distributed.weighted(self.module(batch, labels).loss, len(labels))
            self.accelerator.backward(loss)
            if self.settings.clip_norm:
                self.accelerator.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            if self.averages is not None:
                self.averages.update()
            self.optimizer.zero_grad()
            total += loss.detach()
            # The processes leave together or not at all: gradients are all of theirs.
            if count % _STEPS_BETWEEN_LOOKS == 0 and not self._finite(total):
                break
            if count == most_steps:
                break
        mean = float(self.accelerator.reduce(total, "mean")) / max(count, 1)
        if not math.isfinite(mean):
            raise DivergedError(f"the training loss became {mean} in epoch {number + 1}")
        return mean

    def _placed(
        self, batch: dict[str, torch.Tensor]
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Inputs, labels and row numbers of a batch, on the device."""
        given = {name: value.to(self.accelerator.device) for name, value in batch.items()}
        labels, rows = given.pop("labels"), given.pop("rows")
        return given, labels, rows

    def _finite(self, total: torch.Tensor) -> bool:
        return bool(torch.isfinite(self.accelerator.reduce(total, "sum")))

    def largest_loss(self) -> torch.Tensor:
        """The loss of the longest rows that could make a batch, to see what it takes."""
        tokens, rows = self.data.tokens, self.data.train
        longest = rows[np.argsort(tokens.lengths[rows])[-self.settings.batch_size :]]
        batch = batches.Collator(tokens, self._order, (self.seed, self.data.fold))(longest.tolist())
        keys = batch.pop("keys").to(self.accelerator.device)
        given, labels, _ = self._placed(batch)
        self.module.train()
        with dropout.drawing(dropout_masks.Step(keys[None], 0)):
            loss: torch.Tensor = self.module(given, labels).loss
        return loss

    def scored(self, epoch: int) -> tuple[Float32Array, dict[str, float]]:
        """Probabilities of the held-out rows after an epoch, and what rows kept apart say of it.

        Args:
            epoch: From 1.

        Raises:
            DivergedError: as `predict`.
        """
        rows, given = self.predict()
        chooses = np.isin(rows, self.data.valid)
        held_out = given[~chooses]
        return held_out, self.choice.see(epoch, held_out, given[chooses])

    @torch.no_grad()
    def predict(self) -> tuple[IntArray, Float32Array]:
        """Rows that are scored, ascending, and their probabilities, (rows, classes).

        What a read-out has to report is in `facts` then.

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
        for given in self.held_out:
            batch, labels, numbers = self._placed(given)
            output = self.module(batch, labels)
            rows.append(numbers.cpu())
            logits.append(output.logits.float().cpu())
        if not self._alone:
            found = gather_object([(torch.cat(rows), torch.cat(logits))])
            rows, logits = [part[0] for part in found], [part[1] for part in found]
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


def _groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters with and without decay: none on vectors, which are biases and normalisation."""
    trained = [p for p in module.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
