"""Exact means over a batch that several processes share.

DistributedDataParallel averages gradients over processes, each of which has a mean over its own
items. Where these are not equally many (the last batch; tokens), the mean of means is not the mean.
So each process weights its own by n P / N, with n items of its own and N of all P processes: the
mean is that of one process with the whole batch.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch import distributed as dist


def processes() -> int:
    """Number of processes that train this model together."""
    return int(dist.get_world_size()) if dist.is_available() and dist.is_initialized() else 1


def _of_all(counts: Tensor) -> Tensor:
    everyone = counts.clone()
    dist.all_reduce(everyone)
    return everyone


def weighted(mean: Tensor, items: int) -> Tensor:
    """Weight a process's mean, so that the mean over processes is exact.

    Args:
        mean: Mean over the items of this process.
        items: Number of items of this process.
    """
    if processes() == 1:
        return mean
    mine = torch.tensor(float(items), device=mean.device)
    weight: Tensor = mine * processes() / _of_all(mine)
    return mean * weight


def counted_by(mean: Tensor, parts: Tensor, items: int) -> Tensor:
    """Prepare a mean over parts of items for `weighted`, which counts items.

    Parts are tokens of texts, for example.

    Args:
        mean: Mean over the parts of this process.
        parts: Number of parts of this process.
        items: Number of items that they belong to.
    """
    if processes() == 1:
        return mean
    mine = torch.stack([parts.detach().float(), parts.new_tensor(items, dtype=torch.float32)])
    everyone = _of_all(mine)
    ratio: Tensor = (mine[0] / everyone[0].clamp_min(1)) * (everyone[1] / mine[1])
    return mean * ratio
