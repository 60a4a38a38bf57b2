"""Class probabilities of each cell's scored rows, in a stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from trainables.engine.arrays import Float32Array, IntArray
from trainables.engine.inputs.ragged import placed
from trainables.engine.inputs.stack_inputs import Inputs
from trainables.engine.stacking import attention, shared_batches
from trainables.engine.stacking.cell import StackCell
from trainables.engine.stacking.recorded import RecordedSteps

Prediction = tuple[Float32Array, Mapping[str, float]]
"""Class probabilities, (scored, classes), and the facts that a read-out reports."""


class Predictor:
    """A stack's model with the rows that it predicts.

    Args:
        model: Stack, maps (inputs, labels, cells) to an Output.
        inputs: Inputs of all rows, on the model's device.
        labels: Class ids of all rows, on the model's device.
        cells: Cells of the stack, in order.
        batch_size: Number of rows in a training batch.
        recorded: Recordings of the stack's steps.
    """

    def __init__(
        self,
        model: nn.Module,
        inputs: Inputs,
        labels: Tensor,
        cells: Sequence[StackCell],
        batch_size: int,
        recorded: RecordedSteps,
    ) -> None:
        self._recorded = recorded
        self._model, self._inputs, self._labels = model, inputs, labels
        self._cells, self._batch_size = cells, batch_size

    def predict(self) -> list[Prediction]:
        """Predict the scored rows of each cell."""
        return self._by_block() if self._inputs.shared else self._by_cell()

    def _logits(self, rows: IntArray, cells: Sequence[int]) -> Tensor:
        """Logits of some rows of each cell, or of each block.

        They lie on the device.
        """
        length = self._inputs.length(rows)
        whole = self._inputs.whole(rows, length)
        given = {"rows": torch.as_tensor(rows)}
        if len(cells) != len(self._cells):
            given["cells"] = torch.as_tensor(cells)
        given = {name: placed(value, self._labels.device) for name, value in given.items()}

        def step(given: Mapping[str, Tensor]) -> Tensor:
            inputs = self._inputs.at(given["rows"], length)
            labels = self._labels[given["rows"]]
            with attention.of_whole_rows(whole):
                logits: Tensor = self._model(inputs, labels, given.get("cells")).logits
            return logits.float()

        return self._recorded.run("score", (length, whole, len(cells)), given, step)

    def _by_cell(self) -> list[Prediction]:
        batches = [self._inputs.scoring(cell.scored, self._batch_size) for cell in self._cells]
        most = max(len(batch) for own in batches for batch in own)
        at_once = min(len(batches), self._inputs.cells_at_once(most))
        parts: list[tuple[int, int, Tensor]] = []  # cell, rows and logits of each batch
        for start in range(0, len(batches), at_once):
            group = range(start, min(start + at_once, len(batches)))
            for number in range(max(len(batches[cell]) for cell in group)):
                own = [batches[cell][number : number + 1] for cell in group]
                # A recorded step overwrites what it returned before.
                of_group = self._logits(self._filled(own, group), group).clone()
                for place, cell in enumerate(group):
                    size = len(own[place][0]) if own[place] else 0
                    parts.append((cell, size, of_group[place]))
        logits: list[list[Float32Array]] = [[] for _ in batches]
        for (cell, size, _), values in zip(parts, _on_host([p[2] for p in parts]), strict=True):
            logits[cell].append(values[:size])
        return [_read(*each) for each in zip(self._cells, batches, logits, strict=True)]

    def _filled(self, batches: list[list[IntArray]], group: range) -> IntArray:
        """Rows of at most one batch of each cell, filled up."""
        most = max(len(batch) for own in batches for batch in own)
        rows = np.zeros((len(batches), most), np.int64)
        for place, own in enumerate(batches):
            batch = own[0] if own else self._cells[group[place]].scored[:1]
            rows[place] = np.resize(batch, most)  # filled up with rows of its own, then cut off
        return rows

    def _by_block(self) -> list[Prediction]:
        """Predict with one copy of the rows per block."""
        predictions: list[Prediction] = [(np.zeros((0, 0), np.float32), {})] * len(self._cells)
        for blocks in self._equal_blocks():
            cells = [cell for block in blocks for cell in block]
            rows = np.stack([self._cells[block[0]].scored for block in blocks])
            logits = self._logits(rows, cells)
            # The logits of a stack lie with the rows innermost, and so does this softmax.
            probabilities = torch.softmax(logits.mT, dim=-2).mT.cpu().numpy()
            for cell, part in zip(cells, probabilities, strict=True):
                predictions[cell] = part, {}
        return predictions

    def _equal_blocks(self) -> Iterator[list[list[int]]]:
        """Blocks, or parts of blocks, of as many cells and scored rows."""
        equal: dict[tuple[int, int], list[list[int]]] = {}
        for block in shared_batches.blocks(self._cells):
            rows = len(self._cells[block[0]].scored)
            most = self._inputs.cells_at_once(rows)
            for start in range(0, len(block), most):
                part = block[start : start + most]
                equal.setdefault((rows, len(part)), []).append(part)
        for (rows, cells), blocks in equal.items():
            most = max(1, self._inputs.cells_at_once(rows) // cells)
            for start in range(0, len(blocks), most):
                yield blocks[start : start + most]


def _on_host(logits: Sequence[Tensor]) -> list[Float32Array]:
    """Copy logits to the host, all of them at once.

    Each copy waits for the device.
    """
    flat = torch.cat([each.flatten() for each in logits]).cpu()
    sizes = [each.numel() for each in logits]
    parts = zip(flat.split(sizes), logits, strict=True)
    return [part.view(each.shape).numpy() for part, each in parts]


def _read(cell: StackCell, batches: list[IntArray], logits: list[Float32Array]) -> Prediction:
    """Turn a cell's logits into probabilities of its scored rows."""
    place = np.argsort(np.concatenate(batches), kind="stable")
    expected = np.argsort(np.argsort(cell.scored, kind="stable"), kind="stable")
    ordered: Float32Array = np.concatenate(logits)[place][expected]
    if cell.evaluation is None:
        return torch.softmax(torch.from_numpy(ordered), dim=-1).numpy(), {}
    reading = cell.evaluation.read(ordered)
    return reading.probabilities, reading.facts
