"""Training of a stack, step by step: many cells, one model.

As `training/loop.py` trains one cell, but M cells at once: each has its own rows, order, init,
learning rate, warm-up, clipping, metrics and end. A cell that diverges is frozen beside the others:
taking it out would change the shapes that its neighbours are computed in.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.engine.arrays import Float32Array, FloatArray, IntArray
from trainables.engine.config import FineTuning, TrainingConfig
from trainables.engine.inputs.ragged import placed
from trainables.engine.inputs.stack_inputs import Inputs
from trainables.engine.models import frozen_blocks
from trainables.engine.stacking import attention, block_keys, early_steps, shared_batches
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.module import StackedModule, span
from trainables.engine.stacking.optimizer import StackedAdamW, clip_gradients, schedule_factor
from trainables.engine.stacking.prediction import Predictor
from trainables.engine.stacking.recorded import RecordedSteps
from trainables.engine.training import dropout, dropout_masks
from trainables.engine.training.accelerator import fresh_accelerator
from trainables.engine.training.ema import Averages

Scorer = Callable[[list[IntArray], list[Float32Array]], list[dict[str, float]]]
"""From labels and probabilities of each cell to its metrics by name."""


class StackTraining:
    """A stack's model, optimizer and rows, on their device.

    Args:
        cells: Cells of one shape; batch size, schedule and precision must agree, epochs may differ.
        inputs: Inputs of all rows.
        labels: Class ids of all rows, int64 (rows,).
        compiled: True to let torch.compile fuse the model's steps, which takes a minute or more.

    Attributes:
        stack: Module without accelerate's wrappers.
        facts: Numbers that each cell's read-out reported after the last prediction.
        steps_early: True where a weight is stepped as soon as its gradient is there.
    """

    def __init__(
        self, cells: Sequence[StackCell], inputs: Inputs, labels: IntArray, compiled: bool = False
    ) -> None:
        configs = [cell.config for cell in cells]
        agreed = {(config.batch_size, config.schedule, config.precision) for config in configs}
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
        self.facts: list[Mapping[str, float]] = [{} for _ in cells]
        self.labels = torch.as_tensor(labels, device=device)
        self.cells = list(cells)
        self._block_of = block_keys.block_of(self.cells)
        reduced = torch.bfloat16 if self.accelerator.mixed_precision == "bf16" else None
        module = StackedModule([cell.module for cell in cells], device, reduced).to(device)
        vector = _vectors(configs, module.stacked[0].dtype)
        self._dtype = module.stacked[0].dtype
        scales = _scales(module, cells)
        optimizer = StackedAdamW(
            module, vector("learning_rate"), vector("weight_decay"), scales=scales
        )
        self._layer_decays = _layer_decays(cells)
        if compiled:
            module.compile(dynamic=True)
        self.module, self.optimizer = self.accelerator.prepare(module, optimizer)
        # Unwrapped once, as is the optimizer: accelerate looks for packages each time, which takes
        # a head's stack as long as a matrix product.
        self.stack: StackedModule = self.accelerator.unwrap_model(self.module)
        scaler = self.accelerator.scaler
        self._adamw, self._scaled = optimizer, None if scaler is None else self.optimizer.step
        record = scaler is None and not compiled and self.inputs.gathers
        self.recorded = RecordedSteps(device, record)
        self._total = torch.zeros(len(cells), device=device)
        decays = torch.tensor([cell.ema_decay for cell in cells], dtype=module.stacked[0].dtype)
        averaged = bool((decays > 0).any())
        self.averages = Averages(list(self.stack.stacked), decays) if averaged else None
        self._drops = dropout.drops(cells[0].module)
        clip = vector("clip_norm")
        self._clip = clip.to(device) if bool((clip > 0).any()) else None
        alone = self.accelerator.num_processes == 1 and device.type == "cpu" and not compiled
        self.steps_early = alone and self._clip is None and self._scaled is None
        self._plan_steps()

    def _plan_steps(self) -> None:
        """Count the steps of each cell."""
        configs = [cell.config for cell in self.cells]
        vector = _vectors(configs, self._dtype)
        sizes = torch.tensor([math.ceil(len(cell.train) / self.batch_size) for cell in self.cells])
        self.steps_per_epoch = int(sizes.max())
        self.steps = sizes * torch.tensor([config.epochs for config in configs]).to(self._dtype)
        self.warmup = (vector("warmup_fraction") * self.steps).ceil()

    def refill(self, cells: Sequence[StackCell]) -> bool:
        """Take as many other cells, in the memory of these.

        They are of the same kind. What was recorded is then good for them, too.

        Returns:
            True if that was possible; False where nothing changed.
        """
        configs = [cell.config for cell in cells]
        vector = _vectors(configs, self._dtype)
        agreed = {(config.batch_size, config.schedule) for config in configs}
        clips = bool((vector("clip_norm") > 0).any())
        if (
            len(cells) != len(self.cells)
            or agreed != {(self.batch_size, self.schedule)}
            or clips != (self._clip is not None)
            or self.averages is not None
            or _layer_decays(cells) != self._layer_decays
            or any(cell.ema_decay for cell in cells)
        ):
            return False
        self.cells, self.facts = list(cells), [{} for _ in cells]
        self._block_of = block_keys.block_of(self.cells)
        with self.recorded.stream():
            self.stack.refill([cell.module for cell in cells])
            self._adamw.restart(vector("learning_rate"), vector("weight_decay"))
            if self._clip is not None:
                self._clip.copy_(vector("clip_norm"))
        self._plan_steps()
        return True

    def epoch(self, number: int, most_steps: int | None = None) -> FloatArray:
        """Train one epoch of every cell.

        Args:
            number: Number of the epoch, from 0; it decides order and dropout.
            most_steps: Number of steps to stop after, for a measurement.

        Returns:
            Mean loss of each cell over its batches, (cells,); not finite where it diverged.
        """
        self.module.train()
        batches = np.zeros(len(self.cells))
        self._total.zero_()
        with self.recorded.stream():
            for count, step in enumerate(self._batches(number)):
                if count == most_steps:
                    break
                # Cells whose batch is smaller than their neighbours' are a step of their own.
                for chosen, rows in step:
                    self._train(number, count, chosen, rows)
                    batches[slice(None) if chosen is None else chosen.numpy()] += 1
        means: FloatArray = self._total.double().cpu().numpy() / np.maximum(batches, 1)
        return means

    def _train(self, epoch: int, count: int, chosen: Tensor | None, rows: IntArray) -> None:
        """Take one step of some cells.

        All that changes from step to step goes to the device first.
        """
        optimizer, averages = self._adamw, self.averages
        optimizer.cells = chosen
        optimizer.factors = schedule_factor(self.schedule, optimizer.steps, self.steps, self.warmup)
        shown = self.inputs.views(rows, epoch, self._seeds(chosen))
        length = self.inputs.length(shown)
        whole = self.inputs.whole(shown, length)
        host: dict[str, Any] = {"rows": rows, "shown": shown}
        host |= {"rates": optimizer.rates, "number": np.array(count, np.int32)}
        cells = span(chosen, self.accelerator.device)
        if isinstance(cells, Tensor):
            host["cells"] = cells
        if averages is not None:
            host["ema"] = averages.rates(chosen)
        if self._drops:
            numbers = range(len(self.cells)) if chosen is None else chosen.tolist()
            views = self.inputs.view_count(epoch)
            keys, blocks = block_keys.keys_of(
                self.cells, self._block_of, epoch, numbers, rows, views
            )
            host["keys"] = keys
            if blocks is not None:
                host["blocks"] = blocks
        device = self.accelerator.device
        given = {name: placed(torch.as_tensor(value), device) for name, value in host.items()}
        step = partial(self._step, length, whole, cells if isinstance(cells, slice) else None)
        self.recorded.run("train", (length, whole, optimizer.shape), given, step)
        if self._scaled is None:  # else `step` has counted
            optimizer.count()
        if averages is not None:
            averages.count(chosen)

    def _step(
        self, length: int | None, whole: bool, run: slice | None, given: Mapping[str, Tensor]
    ) -> None:
        """Train one batch of some cells, on the device alone.

        Args:
            length: Number of tokens that the batch is padded to.
            whole: True where no row of it is padded.
            run: Cells of the batch where they are a run of numbers.
            given: All that changes from step to step.
        """
        cells = given.get("cells", run)
        masks = dropout_masks.Step(given.get("keys"), given["number"], given.get("blocks"))
        batch = self.inputs.at(given["shown"], length)
        with attention.of_whole_rows(whole):
            output = self.module(batch, self.labels[given["rows"]], cells, masks)
        if self.steps_early:
            with early_steps.stepping(self.stack, self._adamw, given["rates"], cells):
                self.accelerator.backward(output.loss.sum())
        else:
            self.accelerator.backward(output.loss.sum())
            if self._clip is not None:
                clip_gradients(self.stack, self._clip if run is None else self._clip[run])
            if self._scaled is None:
                self._adamw.move(given["rates"], cells)
            else:
                self._scaled()
        self.optimizer.zero_grad()
        self.stack.parts = list(self.stack.stacked)
        if self.averages is not None:
            self.averages.move(given["ema"], cells)
        self._total[slice(None) if cells is None else cells] += output.loss.detach()

    def _seeds(self, chosen: Tensor | None) -> list[int]:
        """Seeds of the cells of a step, all or some."""
        numbers = range(len(self.cells)) if chosen is None else chosen.tolist()
        return [self.cells[number].seed for number in numbers]

    def _batches(self, epoch: int) -> Iterator[list[tuple[Tensor | None, IntArray]]]:
        """Batches of each step: cells of one batch size, and rows.

        Cells are None for all. Rows are (cells, batch), or (batches, batch) where consecutive cells
        share each.
        """
        cells, blocks = self.cells, self._blocks()
        batches = [
            self.inputs.batches(cells[b[0]].train, self.batch_size, cells[b[0]].seed, epoch)
            for b in blocks
        ]
        every = list(range(len(cells)))
        for number in range(max(map(len, batches))):
            # Blocks of as many cells, with batches of one size, make one step.
            equal: dict[tuple[int, int], list[int]] = {}
            for place, of_block in enumerate(batches):
                if number < len(of_block):
                    size = len(of_block[number]), len(blocks[place])
                    equal.setdefault(size, []).append(place)
            step: list[tuple[Tensor | None, IntArray]] = []
            for size in sorted(equal, reverse=True):
                chosen = [cell for place in equal[size] for cell in blocks[place]]
                rows = np.stack([batches[place][number] for place in equal[size]])
                step.append((None if chosen == every else torch.as_tensor(chosen), rows))
            yield step

    def _blocks(self) -> list[list[int]]:
        """Groups of cells that share one copy of a batch."""
        if not self.inputs.shared:
            return [[number] for number in range(len(self.cells))]
        return shared_batches.blocks(self.cells)

    @torch.no_grad()
    def predict(self) -> list[Float32Array]:
        """Class probabilities of each cell's scored rows, (scored, classes)."""
        if self.averages is None:
            return self._predict()
        with self.averages.applied():
            return self._predict()

    def _predict(self) -> list[Float32Array]:
        self.module.eval()
        predictor = Predictor(
            self.module, self.inputs, self.labels, self.cells, self.batch_size, self.recorded
        )
        with self.recorded.stream():
            predictions = predictor.predict()
        self.facts = [facts for _, facts in predictions]
        return [probabilities for probabilities, _ in predictions]

    def trained(self, cell: int) -> nn.Module:
        """Load a cell's trained weights into its own module."""
        module = copy.deepcopy(self.cells[cell].module)  # cells may share weights at first
        state = self.stack.state_of(cell)  # with a stack's vectors, which are no weights
        own = {name: state[name] for name in module.state_dict() if name in state}
        module.load_state_dict(own, strict=False)  # what all have in common nobody has trained
        return module

    def keep(self, cells: Sequence[int]) -> None:
        """Train on with these cells only."""
        at = torch.as_tensor(list(cells))
        self.stack.keep(at.to(self.accelerator.device))
        self.optimizer.optimizer.keep(at)
        if self.averages is not None:
            self.averages.keep(at)
        self.recorded.forget()
        self._total = self._total[: len(at)].clone()
        if self._clip is not None:
            self._clip = self._clip[at.to(self._clip.device)]
        self.steps, self.warmup = self.steps[at], self.warmup[at]
        if self._layer_decays is not None:
            self._layer_decays = [self._layer_decays[cell] for cell in cells]
        self.cells = [self.cells[i] for i in cells]
        self._block_of = block_keys.block_of(self.cells)

    def freeze(self, cell: int) -> None:
        """Train a cell no more; it stays in its place."""
        self.optimizer.optimizer.learning_rates[cell] = 0.0


def _layer_decays(cells: Sequence[StackCell]) -> list[float] | None:
    """Factor of each cell's rate from block to block, if any.

    A recorded step holds them as numbers.
    """
    decays = [
        cell.config.layer_decay if isinstance(cell.config, FineTuning) else 1.0 for cell in cells
    ]
    return decays if min(decays) < 1 else None


def _scales(module: StackedModule, cells: Sequence[StackCell]) -> list[Tensor] | None:
    """Factor of each cell's rate by parameter, each (cells,)."""
    decays = _layer_decays(cells)
    if decays is None:
        return None
    depths = frozen_blocks.depths(cells[0].module)
    each = torch.tensor(decays, dtype=torch.float64)
    return [each ** depths[name] for name in module.names]


def _vectors(configs: Sequence[TrainingConfig], dtype: torch.dtype) -> Callable[[str], Tensor]:
    return lambda name: torch.tensor([getattr(config, name) for config in configs], dtype=dtype)
