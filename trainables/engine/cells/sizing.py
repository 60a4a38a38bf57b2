"""Size of a stack: the fastest that fits, by a short probe."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import psutil
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import Tensor, nn

# Doubling a stack must save this share of a cell's time to be worth its memory and its waiting.
_LEAST_GAIN = 0.05
# Beyond this a stack gains nothing more on any device, and its results come late.
_MOST_CELLS = 256
# Share of the free memory: the probe sees neither fragmentation nor what others will take.
_MEMORY_SHARE = 0.7
# Weights, gradients and AdamW's two moments.
_COPIES_OF_WEIGHTS = 4
# Stacked normalisation and attention keep more for the backward pass than fused kernels do.
_STACK_KEEPS_MORE = 1.5
# Steps of single cells after which a probe, of about 30, is a small part of the whole.
_STEPS_BEFORE_PROBE = 300


@dataclass(frozen=True)
class Size:
    """Result of a probe.

    Attributes:
        cells: Number of cells to train as one model.
        seconds: Seconds of one step, per cell, for each size that was tried.
    """

    cells: int
    seconds: dict[int, float]


def _never() -> bool:
    return False


class Sizer:
    """Sizes of stacks, probed once for each kind of cell and remembered.

    A kind is a key that is equal for cells of one cost.

    Attributes:
        most: Size that no stack may exceed; it falls where memory runs out.
    """

    def __init__(self) -> None:
        self.most = _MOST_CELLS
        self._sizes: dict[Hashable, Size] = {}
        self._steps: dict[Hashable, int] = {}

    def limit(self, cells: int) -> None:
        """Remember the size of the largest stack that memory allows."""
        self.most = max(1, min(self.most, cells))

    def is_due(self, kind: Hashable, steps: int) -> bool:
        """Tell if a kind's training is long enough for a probe.

        Args:
            kind: Kind of the cells.
            steps: Steps about to be trained; they add up from call to call.
        """
        self._steps[kind] = self._steps.get(kind, 0) + steps
        return self.pays_off(kind, self._steps[kind])

    def pays_off(self, kind: Hashable, steps: int) -> bool:
        """Tell if a probe is cheap beside the training, or known.

        Args:
            kind: Kind of the cells.
            steps: Steps of all cells, trained alone.
        """
        return kind in self._sizes or steps >= _STEPS_BEFORE_PROBE

    def pick(
        self,
        kind: Hashable,
        seconds: Callable[[int], float],
        fits: Callable[[], int],
        over: Callable[[], bool] = _never,
    ) -> Size:
        """Find the fastest size: 1, 2, 4 ... while a cell's share of a step gets shorter.

        Args:
            kind: Kind of the cells.
            seconds: Seconds of one step, per cell, at a size; 1 trains alone. May run out of
                memory.
            fits: Number of cells that memory should hold; called after one has been timed.
            over: True once there is no time for a larger size.
        """
        if kind not in self._sizes:
            self._sizes[kind] = self._probe(seconds, fits, over)
        size = self._sizes[kind]
        return Size(min(size.cells, self.most), size.seconds)

    def _probe(
        self, seconds: Callable[[int], float], fits: Callable[[], int], over: Callable[[], bool]
    ) -> Size:
        tried = {1: seconds(1)}
        best = 1
        if over():
            return Size(best, tried)
        limit, cells, in_vain = min(self.most, fits()), 2, 0
        # Small stacks may lose by what larger ones make up for, so one in vain is not enough.
        while cells <= limit and in_vain < 2 and not over():
            try:
                tried[cells] = seconds(cells)
            except Exception as error:
                if not should_reduce_batch_size(error):
                    raise
                self.limit(cells // 2)
                break
            in_vain += 1
            if tried[cells] < tried[best] * (1 - _LEAST_GAIN):
                best, in_vain = cells, 0
            cells *= 2
        return Size(best, tried)


def cell_bytes(module: nn.Module, loss: Callable[[], Tensor]) -> int:
    """Memory that one cell of a stack takes in training.

    Weights that it does not train, such as those under adapters, are all cells' and there already.

    Args:
        module: Module of the cell.
        loss: Loss of the cell's largest batch.
    """
    saved: dict[int, int] = {}

    def save(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {
        p.untyped_storage().data_ptr(): p.nbytes * p.requires_grad for p in module.parameters()
    }
    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        result = loss()
    del result
    activations = sum(size for place, size in saved.items() if place not in weights)
    return int(_COPIES_OF_WEIGHTS * sum(weights.values()) + _STACK_KEEPS_MORE * activations)


def take_share(gpus: float) -> None:
    """Leave a GPU's memory to those that share it.

    Without it the first to begin would size its stacks by all that is free. On a GPU it is untried.

    Args:
        gpus: GPUs of this process; a part of one is as much of its memory.
    """
    if 0 < gpus < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(gpus)


def free_bytes() -> int:
    """Memory for this process.

    It is that of its GPU, or of its share of one; without any the machine's, by its threads.
    """
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        reserved = torch.cuda.memory_reserved()
        idle = reserved - torch.cuda.memory_allocated()
        left = int(total * torch.cuda.get_per_process_memory_fraction()) - reserved
        return int(_MEMORY_SHARE * (max(0, min(free, left)) + idle))
    share = min(1.0, torch.get_num_threads() / (os.cpu_count() or 1))
    return int(_MEMORY_SHARE * share * psutil.virtual_memory().available)
