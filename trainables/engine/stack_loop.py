"""Trains a stack of heads on frozen features: many cells, one batched model, one process.

What `loop.py` does for one cell on tokens, for M cells at once: each has its own rows, order,
init, learning rate, warm-up, clipping, metrics and end. A cell that diverges goes on beside the
others, unread: taking it out would change the shapes that its neighbours are computed in.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from trainables.engine import loop, seeding
from trainables.engine.stack import StackedAdamW, StackedModule, clip_gradients

Rows = npt.NDArray[np.int64]
# Metrics of many cells' held-out rows: (labels, probabilities of each cell) -> one dict a cell.
Scorer = Callable[[list[Rows], list[npt.NDArray[np.float32]]], list[dict[str, float]]]

# Held-out rows are scored for so many values at a time: 64 MB of features.
_VALUES_AT_ONCE = 2**24


class HeadSettings(loop.Settings, Protocol):
    """What this loop reads of a trainable's Config, beside what `loop.py` does."""

    @property
    def schedule(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class HeadCell:
    """One cell of a stack.

    Attributes:
        module: Its head, drawn already.
        settings: Its hyper-parameters.
        seed: Drives its order.
        train: Rows that it is trained on.
        held_out: Rows that it is scored on.
        offset: Where its own table of features begins, if cells have tables of their own.
    """

    module: nn.Module
    settings: HeadSettings
    seed: int
    train: Rows
    held_out: Rows
    offset: int = 0


def schedule_factor(schedule: str, step: Tensor, steps: Tensor, warmup: Tensor) -> Tensor:
    """What a schedule makes of the peak learning rate: linear warm-up, then decay to 0.

    Args:
        schedule: "linear" or "cosine" decay.
        step: Steps taken, (cells,).
        steps: Steps in all, (cells,).
        warmup: Steps of warm-up, (cells,).
    """
    rising = step / warmup.clamp(min=1)
    done = ((step - warmup) / (steps - warmup).clamp(min=1)).clamp(0, 1)
    falling = 1 - done if schedule == "linear" else 0.5 * (1 + torch.cos(math.pi * done))
    return torch.where(step < warmup, rising, falling)


class StackTraining:
    """A stack's model, optimizer and rows, ready on their device.

    Args:
        cells: Of one shape; batch size and schedule must agree, epochs may differ.
        features: Of all rows, float (rows, width); or several such tables below one another, at the
            cells' offsets.
        labels: Class ids of all rows, int64 (rows,).
    """

    def __init__(self, cells: Sequence[HeadCell], features: Tensor, labels: Rows) -> None:
        AcceleratorState._reset_state()
        settings = [cell.settings for cell in cells]
        shared = {(one.batch_size, one.schedule, one.precision) for one in settings}
        if len(shared) > 1:
            raise ValueError(
                f"cells of a stack must share batch size, schedule and precision, got {shared}; "
                "group cells by the space's shape axes."
            )
        self.batch_size, self.schedule, precision = shared.pop()
        self.accelerator = Accelerator(mixed_precision={"fp32": "no"}.get(precision, precision))
        device = self.accelerator.device
        # A gather from a memory map would read the disk's pages once a step.
        self.features = features.to(device) if device.type != "cpu" else features.clone()
        self.labels = torch.as_tensor(labels, device=device)
        self.cells = list(cells)
        self.offsets = torch.tensor([cell.offset for cell in cells], device=device)
        module = StackedModule([cell.module for cell in cells])
        vector = _vectors(settings, device, features.dtype)
        optimizer = StackedAdamW(module.to(device), vector("learning_rate"), vector("weight_decay"))
        self.module, self.optimizer = self.accelerator.prepare(module, optimizer)
        self.clip = vector("clip_norm")
        sizes = torch.tensor([math.ceil(len(cell.train) / self.batch_size) for cell in cells])
        self.steps = (sizes * torch.tensor([one.epochs for one in settings])).to(self.clip)
        self.warmup = (vector("warmup_fraction") * self.steps).ceil()

    @property
    def stack(self) -> StackedModule:
        """The module without what accelerate may have put around it."""
        unwrapped: StackedModule = self.accelerator.unwrap_model(self.module)
        return unwrapped

    def epoch(self, number: int, most_steps: int | None = None) -> npt.NDArray[np.float64]:
        """Train one epoch of every cell.

        Args:
            number: From 0; decides the order.
            most_steps: Stop after so many steps, for a measurement.

        Returns:
            Mean loss of each cell over its batches, (cells,); not finite where it diverged.
        """
        first = self.cells[0]
        seeding.start_stream(first.seed, "dropout", number, self.accelerator.process_index)
        self.module.train()
        optimizer: StackedAdamW = self.optimizer.optimizer
        total = torch.zeros(len(self.cells), device=self.accelerator.device)
        batches = torch.zeros_like(total)
        for count, step in enumerate(self._batches(number)):
            if count == most_steps:
                break
            # Cells whose last batch is smaller than their neighbours' are a step of their own.
            for chosen, rows in step:
                output = self.module(self._given(rows, chosen), self.labels[rows], chosen)
                self.accelerator.backward(output.loss.sum())
                clip_gradients(self.stack, self.clip)
                optimizer.cells = chosen
                optimizer.factors = schedule_factor(
                    self.schedule, optimizer.steps, self.steps, self.warmup
                )
                self.optimizer.step()
                self.optimizer.zero_grad()
                place = slice(None) if chosen is None else chosen
                total[place] += output.loss.detach()
                batches[place] += 1
        return (total / batches.clamp(min=1)).double().cpu().numpy()

    def _given(self, rows: Tensor, chosen: Tensor | None) -> Tensor:
        """Features of rows (cells, batch) of some cells, each from its own table."""
        offsets = self.offsets if chosen is None else self.offsets[chosen]
        return self.features[rows + offsets[:, None]]

    def _batches(self, epoch: int) -> Iterator[list[tuple[Tensor | None, Tensor]]]:
        """For each step the cells that have a batch of one size, None for all, and their rows."""
        device, size = self.accelerator.device, self.batch_size
        orders = [
            cell.train[
                seeding.numpy_generator(cell.seed, "order", epoch).permutation(len(cell.train))
            ]
            for cell in self.cells
        ]
        lengths = np.array([len(order) for order in orders])
        for start in range(0, int(lengths.max()), size):
            left = np.clip(lengths - start, 0, size)
            step: list[tuple[Tensor | None, Tensor]] = []
            for many in np.unique(left[left > 0])[::-1]:
                mine = np.flatnonzero(left == many)
                rows = np.stack([orders[i][start : start + many] for i in mine])
                chosen = None if len(mine) == len(orders) else torch.as_tensor(mine, device=device)
                step.append((chosen, torch.as_tensor(rows, device=device)))
            yield step

    @torch.no_grad()
    def predict(self) -> list[npt.NDArray[np.float32]]:
        """Class probabilities of each cell's held-out rows, (held_out, classes) each."""
        self.module.eval()
        most = max(len(cell.held_out) for cell in self.cells)
        at_once = max(1, _VALUES_AT_ONCE // (most * self.features.shape[1]))
        given: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(self.cells), at_once):
            part = self.cells[start : start + at_once]
            rows = np.zeros((len(part), most), np.int64)  # filled up with row 0, then cut off
            for i, cell in enumerate(part):
                rows[i, : len(cell.held_out)] = cell.held_out
            at = torch.as_tensor(rows, device=self.accelerator.device)
            chosen = None
            if len(part) < len(self.cells):
                chosen = torch.arange(start, start + len(part), device=at.device)
            logits = self.module(self._given(at, chosen), self.labels[at], chosen).logits
            found = torch.softmax(logits.float(), dim=-1).cpu().numpy()
            given += [found[i, : len(cell.held_out)] for i, cell in enumerate(part)]
        return given

    def keep(self, cells: Sequence[int]) -> None:
        """Go on with these cells alone."""
        at = torch.as_tensor(list(cells), device=self.accelerator.device)
        self.stack.keep(at)
        self.optimizer.optimizer.keep(at)
        self.clip, self.steps, self.warmup = self.clip[at], self.steps[at], self.warmup[at]
        self.offsets = self.offsets[at]
        self.cells = [self.cells[i] for i in cells]


def _vectors(
    settings: Sequence[HeadSettings], device: torch.device, dtype: torch.dtype
) -> Callable[[str], Tensor]:
    return lambda name: torch.tensor(
        [getattr(one, name) for one in settings], device=device, dtype=dtype
    )


def fit_stack(
    cells: Sequence[HeadCell],
    features: Tensor,
    labels: Rows,
    score: Scorer,
    finished: Callable[[int, loop.Fit | loop.DivergedError], None],
) -> None:
    """Train a stack and hand over each cell at the end of its last epoch.

    Args:
        cells: Of one shape.
        features: Of all rows, float (rows, width), or several tables; see `StackTraining`.
        labels: Class ids of all rows, int64 (rows,).
        score: Metrics after an epoch.
        finished: Told (number of the cell, what training it gave).
    """
    training = StackTraining(cells, features, labels)
    numbers = list(range(len(cells)))
    epochs: list[list[Mapping[str, float]]] = [[] for _ in cells]
    lost: set[int] = set()
    for epoch in range(max(cell.settings.epochs for cell in cells)):
        began = time.perf_counter()
        losses = training.epoch(epoch)
        probabilities = training.predict()
        scores = score([labels[cell.held_out] for cell in training.cells], probabilities)
        seconds = (time.perf_counter() - began) / len(numbers)
        going = []
        for place, (number, cell) in enumerate(zip(numbers, training.cells, strict=True)):
            loss = float(losses[place])
            head = {"epoch": epoch + 1.0, "train_loss": loss}
            epochs[number].append({**head, **scores[place], "seconds": seconds})
            if number not in lost:
                if not math.isfinite(loss) or not np.isfinite(probabilities[place]).all():
                    lost.add(number)
                    finished(number, _diverged(loss, epoch))
                elif epoch + 1 == cell.settings.epochs:
                    fit = loop.Fit(cell.held_out, probabilities[place], epochs[number])
                    finished(number, fit)
            if epoch + 1 < cell.settings.epochs:
                going.append(place)
        if going and len(going) < len(numbers):
            training.keep(going)
            numbers = [numbers[place] for place in going]
        elif not going:
            break


def _diverged(loss: float, epoch: int) -> loop.DivergedError:
    what = f"the training loss became {loss}"
    if math.isfinite(loss):
        what = "the probabilities of held-out rows are not finite"
    return loop.DivergedError(f"{what} in epoch {epoch + 1}")
