"""Trains a stack: many cells, one batched model, one process.

What `loop.py` does for one cell, for M cells at once: each has its own rows, order, init, learning
rate, warm-up, clipping, metrics and end. A cell that diverges is frozen beside the others: taking
it out would change the shapes that its neighbours are computed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from trainables.engine.arrays import Float32Array, FloatArray, IntArray
from trainables.engine.config import TrainingConfig
from trainables.engine.inputs.stack_inputs import Inputs
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.stacking import block_keys, shared_batches
from trainables.engine.stacking.module import StackedModule
from trainables.engine.stacking.optimizer import StackedAdamW, clip_gradients, schedule_factor
from trainables.engine.training import dropout, dropout_masks
from trainables.engine.training.accelerator import fresh_accelerator
from trainables.engine.training.ema import Averages
from trainables.engine.training.read_out import Evaluation

# Metrics of many cells' held-out rows: (labels, probabilities of each cell) -> one dict a cell.
Scorer = Callable[[list[IntArray], list[Float32Array]], list[dict[str, float]]]


@dataclass(frozen=True, eq=False)
class StackCell:
    """One cell of a stack.

    Attributes:
        module: Its module, drawn already.
        settings: Its hyper-parameters.
        seed: Drives its order.
        train: Rows that it is trained on.
        held_out: Rows that it is scored on.
        valid: Rows that choose its epoch; most cells have none.
        evaluation: What makes probabilities of its outputs; None where they are logits.
        ema_decay: Of the weights' moving average, which is scored; 0 for the weights themselves.
        fold: Decides, with the seed, what is dropped.
        first: Number of the data's first row, where cells have tables of their own.
    """

    module: nn.Module
    settings: TrainingConfig
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
        """All rows whose outputs are wanted after an epoch."""
        if self.evaluation is not None:
            return self.evaluation.rows
        return np.concatenate([self.held_out, self.valid])


class StackTraining:
    """A stack's model, optimizer and rows, ready on their device.

    Args:
        cells: Of one shape; batch size, schedule and precision must agree, epochs may differ.
        inputs: All rows.
        labels: Class ids of all rows, int64 (rows,).
        compiled: Let torch.compile fuse the model's steps: a minute or more before the first one.

    Attributes:
        stack: The module without what accelerate may have put around it.
    """

    def __init__(
        self, cells: Sequence[StackCell], inputs: Inputs, labels: IntArray, compiled: bool = False
    ) -> None:
        settings = [cell.settings for cell in cells]
        agreed = {(one.batch_size, one.schedule, one.precision) for one in settings}
        if len(agreed) > 1:
            raise ValueError(
                f"cells of a stack must share batch size, schedule and precision, got {agreed}; "
                "group cells by the space's shape axes."
            )
        self.batch_size, self.schedule, precision = agreed.pop()
        if precision == "fp16" and len(cells) > 1:
            raise ValueError("a stack cannot train in fp16: its cells would share a loss scale.")
        self.accelerator = fresh_accelerator(precision)
        device = self.accelerator.device
        self.inputs = inputs.to(device)
        # Of each cell, what its read-out had to report after the last prediction.
        self.facts: list[Mapping[str, float]] = [{} for _ in cells]
        self.labels = torch.as_tensor(labels, device=device)
        self.cells = list(cells)
        self._block_of = block_keys.block_of(self.cells)
        module = StackedModule([cell.module for cell in cells])
        vector = _vectors(settings, module.stacked[0].dtype)
        optimizer = StackedAdamW(module.to(device), vector("learning_rate"), vector("weight_decay"))
        if compiled:
            module.compile(dynamic=True)
        self.module, self.optimizer = self.accelerator.prepare(module, optimizer)
        # Asked for in each step, as is the optimizer: accelerate looks for packages in both ways
        # to them, which takes a head's stack as long as a matrix product.
        self.stack: StackedModule = self.accelerator.unwrap_model(self.module)
        self._step = optimizer.step if self.accelerator.scaler is None else self.optimizer.step
        decays = torch.tensor([cell.ema_decay for cell in cells], dtype=module.stacked[0].dtype)
        averaged = bool((decays > 0).any())
        self.averages = Averages(list(self.stack.stacked), decays) if averaged else None
        self._drops = dropout.drops(cells[0].module)
        self.clip = vector("clip_norm")
        sizes = torch.tensor([math.ceil(len(cell.train) / self.batch_size) for cell in cells])
        self.steps_per_epoch = int(sizes.max())
        self.steps = (sizes * torch.tensor([one.epochs for one in settings])).to(self.clip)
        self.warmup = (vector("warmup_fraction") * self.steps).ceil()

    def epoch(self, number: int, most_steps: int | None = None) -> FloatArray:
        """Train one epoch of every cell.

        Args:
            number: From 0; decides order and dropout.
            most_steps: Stop after so many steps, for a measurement.

        Returns:
            Mean loss of each cell over its batches, (cells,); not finite where it diverged.
        """
        self.module.train()
        optimizer: StackedAdamW = self.optimizer.optimizer
        device = self.accelerator.device
        total = torch.zeros(len(self.cells), device=device)
        batches = torch.zeros_like(total)
        for count, step in enumerate(self._batches(number)):
            if count == most_steps:
                break
            # Cells whose batch is smaller than their neighbours' are a step of their own.
            for chosen, rows in step:
                places = None if chosen is None else chosen.to(device)
                given = self.inputs.views(rows, number)
                drops = dropout_masks.Step(None, count)
                if self._drops:
                    views = self.inputs.view_count(number)
                    drops = block_keys.step(
                        self.cells, self._block_of, (number, count), chosen, rows, views, device
                    )
                output = self.module(given, self._labels(rows), places, drops)
                self.accelerator.backward(output.loss.sum())
                clip_gradients(self.stack, self.clip)
                optimizer.cells = chosen
                optimizer.factors = schedule_factor(
                    self.schedule, optimizer.steps, self.steps, self.warmup
                )
                self._step()
                self.optimizer.zero_grad()
                if self.averages is not None:
                    self.averages.update(chosen)
                at = slice(None) if places is None else places
                total[at] += output.loss.detach()
                batches[at] += 1
        return (total / batches.clamp(min=1)).double().cpu().numpy()

    def _batches(self, epoch: int) -> Iterator[list[tuple[Tensor | None, IntArray]]]:
        """For each step the cells that have a batch of one size, None for all, and their rows.

        Rows are (cells, batch), or (batches, batch) where so many cells in a row share each.
        """
        cells, blocks = self.cells, self._blocks()
        of_block = [
            self.inputs.batches(cells[b[0]].train, self.batch_size, cells[b[0]].seed, epoch)
            for b in blocks
        ]
        every = list(range(len(cells)))
        for number in range(max(map(len, of_block))):
            # Blocks go together whose batches have one size, and that have as many cells.
            alike: dict[tuple[int, int], list[int]] = {}
            for place, batches in enumerate(of_block):
                if number < len(batches):
                    size = len(batches[number]), len(blocks[place])
                    alike.setdefault(size, []).append(place)
            step: list[tuple[Tensor | None, IntArray]] = []
            for size in sorted(alike, reverse=True):
                mine = [cell for place in alike[size] for cell in blocks[place]]
                rows = np.stack([of_block[place][number] for place in alike[size]])
                step.append((None if mine == every else torch.as_tensor(mine), rows))
            yield step

    def _blocks(self) -> list[list[int]]:
        """Cells that are given their batches together; each alone where a batch is no burden."""
        if not self.inputs.shared:
            return [[number] for number in range(len(self.cells))]
        return shared_batches.blocks(self.cells)

    def _labels(self, rows: IntArray) -> Tensor:
        return self.labels[torch.as_tensor(rows, device=self.labels.device)]

    @torch.no_grad()
    def predict(self) -> list[Float32Array]:
        """Class probabilities of the rows that each cell is scored on, (scored, classes) each."""
        if self.averages is None:
            return self._predict()
        with self.averages.applied():
            return self._predict()

    def _predict(self) -> list[Float32Array]:
        self.module.eval()
        if self.inputs.shared:
            return self._predict_shared()
        parts = [self.inputs.scoring(cell.scored, self.batch_size) for cell in self.cells]
        most = max(len(part) for of_cell in parts for part in of_cell)
        at_once = min(len(parts), self.inputs.cells_at_once(most))
        given: list[list[Float32Array]] = [[] for _ in parts]
        for start in range(0, len(parts), at_once):
            group = range(start, min(start + at_once, len(parts)))
            for number in range(max(len(parts[i]) for i in group)):
                logits = self._score([parts[i][number : number + 1] for i in group], group)
                for i, found in zip(group, logits, strict=True):
                    given[i].append(found)
        read = [self._read(*both) for both in zip(self.cells, parts, given, strict=True)]
        self.facts = [facts for _, facts in read]
        return [probabilities for probabilities, _ in read]

    def _predict_shared(self) -> list[Float32Array]:
        """The same, with the rows of a block given to its cells once."""
        found: list[Float32Array] = [np.zeros((0, 0), np.float32)] * len(self.cells)
        for part in self._scored_together():
            mine = [cell for block in part for cell in block]
            rows = np.stack([self.cells[block[0]].scored for block in part])
            whole = len(mine) == len(self.cells)
            chosen = None if whole else torch.as_tensor(mine, device=self.accelerator.device)
            logits = self.module(self.inputs.at(rows), self._labels(rows), chosen).logits
            # Over the classes as a stack's logits lie: the rows innermost.
            given = torch.softmax(logits.mT.float(), dim=-2).mT.cpu().numpy()
            for cell, probabilities in zip(mine, given, strict=True):
                found[cell] = probabilities
        return found

    def _scored_together(self) -> Iterator[list[list[int]]]:
        """Blocks, or parts of a block, that have as many rows to score and as many cells."""
        alike: dict[tuple[int, int], list[list[int]]] = {}
        for block in self._blocks():
            rows = len(self.cells[block[0]].scored)
            most = self.inputs.cells_at_once(rows)
            for start in range(0, len(block), most):
                part = block[start : start + most]
                alike.setdefault((rows, len(part)), []).append(part)
        for (rows, cells), blocks in alike.items():
            most = max(1, self.inputs.cells_at_once(rows) // cells)
            for start in range(0, len(blocks), most):
                yield blocks[start : start + most]

    def _score(self, rows: list[list[IntArray]], group: range) -> list[Float32Array]:
        """Logits of one part of the scored rows of each cell of a group."""
        most = max(len(part) for of_cell in rows for part in of_cell)
        filled = np.zeros((len(rows), most), np.int64)
        for i, part in enumerate(rows):
            own = part[0] if part else self.cells[group[i]].scored[:1]
            filled[i] = np.resize(own, most)  # filled up with rows of its own, then cut off
        chosen = None
        if len(group) < len(self.cells):
            chosen = torch.arange(group.start, group.stop, device=self.accelerator.device)
        logits = self.module(self.inputs.at(filled), self._labels(filled), chosen).logits
        found = logits.float().cpu().numpy()
        return [found[i, : len(part[0]) if part else 0] for i, part in enumerate(rows)]

    @staticmethod
    def _read(
        cell: StackCell, parts: list[IntArray], given: list[Float32Array]
    ) -> tuple[Float32Array, Mapping[str, float]]:
        """A cell's probabilities, and what its read-out has to report."""
        found = np.concatenate(given)
        place = np.argsort(np.concatenate(parts), kind="stable")
        expected = np.argsort(np.argsort(cell.scored, kind="stable"), kind="stable")
        ordered: Float32Array = found[place][expected]
        if cell.evaluation is None:
            return torch.softmax(torch.from_numpy(ordered), dim=-1).numpy(), {}
        reading = cell.evaluation.read(ordered)
        return reading.probabilities, reading.facts

    def trained(self, cell: int) -> nn.Module:
        """A cell's own module, with the weights that it has now."""
        module = self.cells[cell].module
        state = self.stack.state_of(cell)  # with the vectors of a stack, which are no weights
        module.load_state_dict({name: state[name] for name in module.state_dict()})
        return module

    def keep(self, cells: Sequence[int]) -> None:
        """Go on with these cells alone."""
        at = torch.as_tensor(list(cells))
        self.stack.keep(at.to(self.accelerator.device))
        self.optimizer.optimizer.keep(at)
        if self.averages is not None:
            self.averages.keep(at)
        self.clip, self.steps, self.warmup = self.clip[at], self.steps[at], self.warmup[at]
        self.cells = [self.cells[i] for i in cells]
        self._block_of = block_keys.block_of(self.cells)

    def freeze(self, cell: int) -> None:
        """Move a cell no more; it stays in its place."""
        self.optimizer.optimizer.learning_rates[cell] = 0.0


def _vectors(settings: Sequence[TrainingConfig], dtype: torch.dtype) -> Callable[[str], Tensor]:
    return lambda name: torch.tensor([getattr(one, name) for one in settings], dtype=dtype)
