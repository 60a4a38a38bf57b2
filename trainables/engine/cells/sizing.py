"""How many cells to train as one model: what is fastest of what fits, found by a short probe."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import psutil
import torch
from accelerate.utils.memory import should_reduce_batch_size
from torch import Tensor, nn

# Doubling a stack must save so much of a cell's time to be worth its memory and its waiting.
_LEAST_GAIN = 0.05
# Beyond this a stack gains nothing more on any device, and its results come late.
_MOST_CELLS = 256
# Of the memory that is free: the probe sees neither fragmentation nor what others will take.
_MEMORY_SHARE = 0.7
# Weights, gradients and AdamW's two moments.
_COPIES_OF_WEIGHTS = 4
# Stacked normalisation and attention keep more for the backward pass than fused kernels do.
_STACK_KEEPS_MORE = 1.5


@dataclass(frozen=True)
class Size:
    """What a probe found.

    Attributes:
        cells: How many to train as one model.
        seconds: Of one step, per cell, for each size that was tried.
    """

    cells: int
    seconds: dict[int, float]


# Steps of single cells after which a probe, of about 30, is a small part of the whole.
_STEPS_BEFORE_PROBE = 300

_found: dict[Hashable, Size] = {}
_steps: dict[Hashable, int] = {}
_most: list[int] = [_MOST_CELLS]


def no_more_than(cells: int) -> None:
    """Remember for the life of the process that more cells ran out of memory."""
    _most[0] = max(1, min(_most[0], cells))


def most() -> int:
    """The size that no stack of this process may exceed."""
    return _most[0]


def due(key: Hashable, steps: int) -> bool:
    """Whether it is time to probe: a short sweep would lose more by it than it gains.

    Args:
        key: Equal for cells of one cost.
        steps: That are about to be trained, added up from call to call.
    """
    _steps[key] = _steps.get(key, 0) + steps
    return worth(key, _steps[key])


def worth(key: Hashable, steps: int) -> bool:
    """Whether so much training earns a probe, or one is there already.

    Args:
        key: Equal for cells of one cost.
        steps: Of all cells, trained alone.
    """
    return key in _found or steps >= _STEPS_BEFORE_PROBE


def _never() -> bool:
    return False


def pick(
    key: Hashable,
    seconds: Callable[[int], float],
    fits: Callable[[], int],
    over: Callable[[], bool] = _never,
) -> Size:
    """The fastest size, probed once per process: 1, 2, 4 ... while a cell's share gets smaller.

    Args:
        key: Equal for cells of one cost.
        seconds: Of one step, per cell, at a size; 1 is training alone. May run out of memory.
        fits: How many cells the memory should hold, asked after one has been timed.
        over: Whether to try no larger size, for want of time.
    """
    if key not in _found:
        _found[key] = _probe(seconds, fits, over)
    found = _found[key]
    return Size(min(found.cells, most()), found.seconds)


def _probe(
    seconds: Callable[[int], float], fits: Callable[[], int], over: Callable[[], bool]
) -> Size:
    tried = {1: seconds(1)}
    best, cells = tried[1], 1
    if over():
        return Size(cells, tried)
    limit, number, in_vain = min(most(), fits()), 2, 0
    # Small stacks may lose by what larger ones make up for, so one in vain is not enough.
    while number <= limit and in_vain < 2 and not over():
        try:
            tried[number] = seconds(number)
        except Exception as error:
            if not should_reduce_batch_size(error):
                raise
            no_more_than(number // 2)
            break
        in_vain += 1
        if tried[number] < best * (1 - _LEAST_GAIN):
            best, cells, in_vain = tried[number], number, 0
        number *= 2
    return Size(cells, tried)


def cell_bytes(module: nn.Module, run: Callable[[], Tensor]) -> int:
    """Memory that one cell of a stack takes in training.

    Args:
        module: The cell's.
        run: Gives the loss of its largest batch.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {p.untyped_storage().data_ptr(): p.nbytes for p in module.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = run()
    del loss
    activations = sum(size for place, size in kept.items() if place not in weights)
    return int(_COPIES_OF_WEIGHTS * sum(weights.values()) + _STACK_KEEPS_MORE * activations)


def free_bytes() -> int:
    """Memory that this process may use: of its GPU, or its share of the machine's by threads."""
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        idle = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(_MEMORY_SHARE * (free + idle))
    share = min(1.0, torch.get_num_threads() / (os.cpu_count() or 1))
    return int(_MEMORY_SHARE * share * psutil.virtual_memory().available)
