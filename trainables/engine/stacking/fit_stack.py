"""Trains a stack from its first epoch to its last: what `loop.fit` is for one cell."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from trainables.engine.errors import DivergedError
from trainables.engine.inputs.stack_inputs import Inputs
from trainables.engine.stacking import shared_batches as shared
from trainables.engine.stacking.trainer import Rows, Scorer, StackCell, StackTraining
from trainables.engine.training import loop
from trainables.engine.training.epoch_choice import Choice


def fit_stack(
    cells: Sequence[StackCell],
    inputs: Inputs,
    labels: Rows,
    score: Scorer,
    finished: Callable[[int, loop.Fit | DivergedError], None],
    compiled: bool = False,
) -> None:
    """Train a stack and hand over each cell at the end of its last epoch.

    Args:
        cells: Of one shape.
        inputs: All rows.
        labels: Class ids of all rows, int64 (rows,).
        score: Metrics after an epoch.
        finished: Told (number of the cell, what training it gave).
        compiled: See `StackTraining`.
    """
    # Blocks in a row, so that neither weights nor masks need to be gathered; those that have taken
    # as many steps side by side: the optimizer moves them at once.
    alike = sorted(shared.blocks(cells), key=lambda block: len(cells[block[0]].train))
    numbers = [number for block in alike for number in block]
    training = StackTraining([cells[number] for number in numbers], inputs, labels, compiled)
    epochs: list[list[Mapping[str, float]]] = [[] for _ in cells]
    choices = [Choice(labels[cell.valid]) for cell in cells]
    lost: set[int] = set()
    for epoch in range(max(cell.settings.epochs for cell in cells)):
        began = time.perf_counter()
        losses = training.epoch(epoch)
        probabilities = training.predict()
        sizes = [len(cell.held_out) for cell in training.cells]
        held_out = [given[:size] for given, size in zip(probabilities, sizes, strict=True)]
        scores = score([labels[cell.held_out] for cell in training.cells], held_out)
        seconds = (time.perf_counter() - began) / len(numbers)
        going = []
        for place in np.argsort(numbers).tolist():
            number, cell = numbers[place], training.cells[place]
            loss = float(losses[place])
            head = {"epoch": epoch + 1.0, "train_loss": loss}
            choice, valid = choices[number], probabilities[place][sizes[place] :]
            chosen = choice.see(epoch + 1, held_out[place], valid)
            told = {**scores[place], **chosen, **training.facts[place]}
            epochs[number].append({**head, **told, "seconds": seconds})
            if number not in lost:
                if not math.isfinite(loss) or not np.isfinite(probabilities[place]).all():
                    lost.add(number)
                    training.freeze(place)
                    finished(number, _diverged(loss, epoch))
                elif epoch + 1 == cell.settings.epochs:
                    given = choice.probabilities
                    facts = {**choice.facts, **training.facts[place]}
                    fit = loop.Fit(cell.held_out, given, epochs[number], facts)
                    finished(number, fit)
            if epoch + 1 < cell.settings.epochs:
                going.append(place)
        if not set(going) - {place for place, number in enumerate(numbers) if number in lost}:
            break
        going.sort()
        if len(going) < len(numbers):
            training.keep(going)
            numbers = [numbers[place] for place in going]


def _diverged(loss: float, epoch: int) -> DivergedError:
    what = f"the training loss became {loss}"
    if math.isfinite(loss):
        what = "the probabilities of held-out rows are not finite"
    return DivergedError(f"{what} in epoch {epoch + 1}")
