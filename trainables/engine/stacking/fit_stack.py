"""Trains a stack from first epoch to last, as `fit` one cell."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.config import TrainingConfig
from trainables.engine.errors import DivergedError
from trainables.engine.inputs.stack_inputs import FeatureInputs, Inputs
from trainables.engine.splits.inner_validation import NO_ROWS
from trainables.engine.stacking import shared_batches
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.trainer import Scorer, StackTraining
from trainables.engine.training.epoch_choice import Choice
from trainables.engine.training.fit import Fit


def fit_stack(
    cells: Sequence[StackCell],
    inputs: Inputs,
    labels: IntArray,
    finished: Callable[[int, Fit | DivergedError], None],
    score: Scorer | None = None,
    compiled: bool = False,
    kind: Hashable = None,
    each_epoch: bool = True,
) -> None:
    """Train a stack; hand over each cell after its last epoch.

    Args:
        cells: Cells of one shape.
        inputs: All rows.
        labels: Class ids of all rows, int64 (rows,).
        finished: Called with a cell's number and its result.
        score: Metrics after every epoch; None trains only, and hands over each cell's module.
        compiled: Run the model through torch.compile; see `StackTraining`.
        kind: Key that cells of equal modules share: on a GPU a stack of them is taken over by the
            next, with all that was recorded. None for cells of their own kind.
        each_epoch: False to score a cell after its last epoch alone, where no rows choose it.
    """
    # Blocks in a row, so that neither weights nor masks need to be gathered; those that have taken
    # as many steps side by side: the optimizer moves them at once.
    alike = sorted(shared_batches.blocks(cells), key=lambda block: len(cells[block[0]].train))
    numbers = [number for block in alike for number in block]
    training = _started([cells[number] for number in numbers], inputs, labels, compiled, kind)
    epochs: list[list[Mapping[str, float]]] = [[] for _ in cells]
    choices = [Choice(labels[cell.valid]) for cell in cells]
    lost: set[int] = set()
    for epoch in range(max(cell.config.epochs for cell in cells)):
        began = time.perf_counter()
        losses = training.epoch(epoch)
        counted = [each_epoch or _counts(cell, epoch + 1) for cell in training.cells]
        held_out, valid, scores = _scored(training, labels, score if any(counted) else None)
        seconds = (time.perf_counter() - began) / len(numbers)
        going = []
        for place in np.argsort(numbers).tolist():
            number, cell = numbers[place], training.cells[place]
            loss = float(losses[place])
            ended = epoch + 1 == cell.config.epochs
            metrics = {"epoch": epoch + 1.0, "train_loss": loss}
            if counted[place]:
                chosen = choices[number].see(epoch + 1, held_out[place], valid[place])
                metrics |= {**scores[place], **chosen, **training.facts[place]}
                ended = ended or choices[number].over(epoch + 1, cell.config.patience)
            epochs[number].append({**metrics, "seconds": seconds})
            if number not in lost:
                finite = np.isfinite(held_out[place]).all() and np.isfinite(valid[place]).all()
                if not math.isfinite(loss) or not finite:
                    lost.add(number)
                    training.freeze(place)
                    finished(number, _diverged(loss, epoch))
                elif ended:
                    facts = {**choices[number].facts, **training.facts[place]}
                    module = training.trained(place) if score is None else None
                    best = choices[number].probabilities
                    finished(number, Fit(cell.held_out, best, epochs[number], facts, module))
            if not ended:
                going.append(place)
        if not set(going) - {place for place, number in enumerate(numbers) if number in lost}:
            break
        going.sort()
        if len(going) < len(numbers):
            training.keep(going)
            numbers = [numbers[place] for place in going]
    if kind is not None and training.recorded.records and inputs.equals(inputs):
        _LAST.append((kind, inputs, training))


# The last stack that recorded its steps; emptied by `let_go`.
_LAST: list[tuple[Hashable, Inputs, StackTraining]] = []


def let_go() -> None:
    """Free the memory of the last stack."""
    if _LAST:
        _LAST.clear()
        gc.collect()  # model, optimizer and accelerator refer to one another


def _started(
    cells: Sequence[StackCell], inputs: Inputs, labels: IntArray, compiled: bool, kind: Hashable
) -> StackTraining:
    """Take over the last stack of the same kind, or begin one."""
    if _LAST:
        of, rows, training = _LAST[0]
        same = kind is not None and of == kind and not compiled and inputs.equals(rows)
        if same and training.refill(cells):
            _LAST.clear()
            return training
        del training
    let_go()
    return StackTraining(cells, inputs, labels, compiled)


def fit_head(
    head: nn.Module,
    config: TrainingConfig,
    features: Tensor,
    labels: IntArray,
    seed: int = 0,
    rows: IntArray | None = None,
) -> Fit:
    """Train one head on frozen features; score nothing.

    Args:
        head: Module that maps (features, labels) to an Output.
        config: Hyper-parameters of the training.
        features: Features of all rows, (rows, width).
        labels: Class ids of all rows, int64 (rows,).
        seed: Seed of order and dropout.
        rows: Rows to train on, ascending; None for all.

    Returns:
        A Fit with the trained head as its module.

    Raises:
        DivergedError: if a loss is not finite.
    """
    train = np.arange(len(labels)) if rows is None else rows
    fits: list[Fit | DivergedError] = []
    fit_stack(
        [StackCell(head, config, seed, train, NO_ROWS)],
        FeatureInputs(features),
        labels,
        lambda _, fit: fits.append(fit),
    )
    if isinstance(fits[0], DivergedError):
        raise fits[0]
    return fits[0]


def _counts(cell: StackCell, epoch: int) -> bool:
    """Tell if an epoch, from 1, may be the result."""
    return len(cell.valid) > 0 or epoch == cell.config.epochs


def _scored(
    training: StackTraining, labels: IntArray, score: Scorer | None
) -> tuple[list[Float32Array], list[Float32Array], list[dict[str, float]]]:
    """Predict each cell's held-out and epoch-choosing rows; score the former."""
    cells = training.cells
    if score is None:
        nothing: list[Float32Array] = [np.zeros((0, 0), np.float32)] * len(cells)
        return nothing, nothing, [{} for _ in cells]
    probabilities = training.predict()
    sizes = [len(cell.held_out) for cell in cells]
    held_out = [part[:size] for part, size in zip(probabilities, sizes, strict=True)]
    valid = [part[size:] for part, size in zip(probabilities, sizes, strict=True)]
    return held_out, valid, score([labels[cell.held_out] for cell in cells], held_out)


def _diverged(loss: float, epoch: int) -> DivergedError:
    fault = f"the training loss became {loss}"
    if math.isfinite(loss):
        fault = "the probabilities of held-out rows are not finite"
    return DivergedError(f"{fault} in epoch {epoch + 1}")
